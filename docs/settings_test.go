package docs_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// constants returns the names of environment variables in package settings by the names of their constants.
func constants(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, f := range sources(t, false, "plugins-core/settings") {
		ast.Inspect(f.File, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
				if s, ok := text(spec.Values[0]); ok {
					found[spec.Names[0].Name] = s
				}
			}
			return true
		})
	}
	if found["Root"] != settings.Root || len(found) < 20 {
		t.Fatalf("got %v", found)
	}
	return found
}

// TestSettings compares the table of settings with the constants, and its defaults with those in the code.
func TestSettings(t *testing.T) {
	names := constants(t)
	want := []string{"PLUGIN_CORE_PATH"} // its name stands at the one place that reads it
	for _, name := range names {
		want = append(want, name)
	}
	page := read(t, "settings.md")
	rows := table(t, page, "## Core")
	same(t, "settings.md", firstCodes(rows), want)
	documented := map[string]string{}
	for _, r := range rows {
		documented[code(r[0])[0]] = strings.Trim(r[1], "`")
	}
	checked := 0
	for _, f := range sources(t, false, "plugins-core", "dokku") {
		ast.Inspect(f.File, func(n ast.Node) bool {
			name, value := defaultOf(n, names)
			if name == "" || value == "" {
				return true
			}
			checked++
			if got := documented[name]; got != value {
				t.Errorf("settings.md: the default of %s is %q, in %s it is %q", name, got, f.set.Position(n.Pos()), value)
			}
			return true
		})
	}
	if checked < 10 {
		t.Errorf("found %d defaults in the code, want more", checked)
	}
}

// defaultOf reads a call such as s.Int(settings.StopTimeout, 10); the value is "" when it is no literal.
func defaultOf(n ast.Node, names map[string]string) (name, value string) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return "", ""
	}
	switch calledName(call) {
	case "Get", "Int", "Seconds", "Command":
	default:
		return "", ""
	}
	switch key := call.Args[0].(type) {
	case *ast.SelectorExpr:
		name = names[key.Sel.Name]
	case *ast.Ident:
		name = names[key.Name]
	}
	if lit, ok := call.Args[1].(*ast.BasicLit); ok {
		value = lit.Value
		if lit.Kind == token.STRING {
			value, _ = text(lit)
		}
	}
	return name, value
}

// TestVariables makes sure that every variable which the code knows by name is told of.
func TestVariables(t *testing.T) {
	page := read(t, "settings.md")
	told := map[string]bool{}
	for _, word := range code(strings.ReplaceAll(page, "```", "")) {
		told[word] = true
	}
	name := regexp.MustCompile(`^(DOKKU|PLUGIN|SSH|DOCKER)_[A-Z_]*[A-Z]$`)
	for _, f := range sources(t, false, "plugins-core", "dokku") {
		ast.Inspect(f.File, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok {
				return true
			}
			if s, ok := text(lit); ok && name.MatchString(s) && s != "DOKKU_SCALE" && !strings.HasPrefix(s, "DOCKER_OPTIONS_") /* files */ && !told[s] {
				t.Errorf("%s: settings.md does not tell of %s", f.set.Position(lit.Pos()), s)
			}
			return true
		})
	}
}
