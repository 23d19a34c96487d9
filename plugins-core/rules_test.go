package core_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hookless are the directories whose code does not run in hooks: the generator, the programs of containers and hooks, and the
// engine's client, which reads what docker reads, and the points at which tests kill us.
func hookless() []string {
	return []string{"gen", "internal/buildstep", "internal/shim", "internal/dockerapi", "internal/failpoint"}
}

// forbidden tells why a hook may not use a name of a package: it runs in dokku's process, beside others.
func forbidden(pkg, name string) string {
	names := map[string]string{
		"os":  "Exit Chdir Setenv Unsetenv Clearenv Getenv LookupEnv Environ ExpandEnv Stdin Stdout Stderr Args",
		"fmt": "Print Printf Println Scan Scanf Scanln",
	}
	switch {
	case pkg == "log", pkg == "os" && slices.Contains(strings.Fields(names["os"]), name):
		return "a hook has its environment, words and streams in its call, and the process is not its own"
	case pkg == "fmt" && slices.Contains(strings.Fields(names["fmt"]), name):
		return "a hook writes to the streams of its call"
	}
	return ""
}

// TestHookRules reads the code of the core plugins for what a hook that runs in dokku's process must not do.
func TestHookRules(t *testing.T) {
	t.Parallel()
	read := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(hookless(), filepath.ToSlash(path)):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		read++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range violations(t, path, source) {
			t.Error(found)
		}
		return nil
	})
	if err != nil || read < 20 {
		t.Fatalf("read %d files: %v", read, err)
	}
}

// violations lists the uses of forbidden names in one file.
func violations(t *testing.T, path string, source []byte) []string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]string{} // local name: path
	for _, imp := range file.Imports {
		pkg, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		name := pkg[strings.LastIndexByte(pkg, '/')+1:]
		if imp.Name != nil {
			name = imp.Name.Name
		}
		packages[name] = pkg
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok {
			if why := forbidden(packages[id.Name], sel.Sel.Name); why != "" {
				found = append(found, set.Position(sel.Pos()).String()+": "+id.Name+"."+sel.Sel.Name+": "+why)
			}
		}
		return true
	})
	return found
}

// TestHookRulesFind makes sure that the check finds what it is there for.
func TestHookRulesFind(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{
		`os.Exit(1)`:               1,
		`fmt.Println("x")`:         1,
		`log.Print("x")`:           1,
		`system.Getenv("HOME")`:    1,
		`f := system.Chdir; f("")`: 1,
		`os.ReadFile("x")`:         0,
		`fmt.Sprint("x")`:          0,
	} {
		source := "package x\nimport (\"fmt\"; \"log\"; \"os\"; system \"os\")\nfunc f() { " + line + " }\n"
		if got := violations(t, "x.go", []byte(source)); len(got) != want {
			t.Errorf("%s: got %v, want %d", line, got, want)
		}
	}
}
