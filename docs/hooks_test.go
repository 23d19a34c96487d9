package docs_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"

	core "github.com/dokku-go/dokku/plugins-core"
)

// hookArgument tells which argument of these functions is a hook's name. dockerArgs and ImageHook hand it on.
var hookArgument = map[string]int{"Trigger": 1, "Query": 1, "FirstLine": 1, "Filter": 2, "Broadcast": 4, "ImageHook": 4, "dockerArgs": 3}

// flavourArgument tells which argument of these functions ends the names of the hooks that they trigger.
var flavourArgument = map[string]int{"PreBuild": 4, "PostBuild": 4, "ReleaseHooks": 4}

// TestHooks compares the hooks that docs/hooks.md tells of with those that core triggers or listens to, and writes
// which plugins listen.
func TestHooks(t *testing.T) {
	listeners := map[string][]string{}
	want := firedHooks(t)
	for _, p := range core.All() {
		for _, hook := range p.HookNames() {
			listeners[hook] = append(listeners[hook], p.Name)
			want = append(want, hook)
		}
	}
	var got []string
	page := between(t, read(t, "hooks.md"), func(old string) string {
		var out strings.Builder
		for line := range strings.Lines(old) {
			r := cells(line)
			if r != nil && strings.HasPrefix(r[0], "`") {
				hook := strings.Trim(r[0], "`")
				got = append(got, hook)
				r[len(r)-1] = strings.Join(listeners[hook], ", ")
				line = strings.ReplaceAll(row(r...), "|  |\n", "| |\n")
			}
			out.WriteString(line)
		}
		return out.String()
	})
	golden(t, "hooks.md", page)
	same(t, "hooks.md", got, want)
}

// firedHooks finds the names in the calls that trigger hooks. A name that cannot be read off the code is an error: it
// would be a hook that nobody can know of.
func firedHooks(t *testing.T) []string {
	t.Helper()
	files := slices.DeleteFunc(sources(t, false, "plugins-core", "dokku"), func(f source) bool {
		return strings.HasPrefix(f.path, "plugins-core/plug/") // where the calls are defined
	})
	flavours := map[string][]string{} // by function
	for _, f := range files {
		ast.Inspect(f.File, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if i, ok := flavourArgument[calledName(call)]; ok && i < len(call.Args) {
					if s, ok := text(call.Args[i]); ok {
						flavours[calledName(call)] = append(flavours[calledName(call)], s)
					}
				}
			}
			return true
		})
	}
	names := []string{"commands"} // found by the dispatcher, which runs them one by one
	for _, f := range files {
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				i, ok := hookArgument[calledName(call)]
				if !ok || i >= len(call.Args) {
					return true
				}
				found := hookNames(call.Args[i], fn, flavours[fn.Name.Name])
				if len(found) == 0 {
					// The user of plugin:trigger says which.
					if _, handsOn := hookArgument[fn.Name.Name]; !handsOn && fn.Name.Name != "triggerVerb" {
						t.Errorf("%s: cannot tell which hook this is", f.set.Position(call.Pos()))
					}
				}
				names = append(names, found...)
				return true
			})
		}
	}
	return names
}

// hookNames reads the names off an expression in fn: a literal, one with a flavour behind it, or a field of a list.
func hookNames(e ast.Expr, fn *ast.FuncDecl, flavours []string) []string {
	if s, ok := text(e); ok {
		return []string{s}
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		prefix, ok := text(e.X)
		if !ok || e.Op != token.ADD {
			return nil
		}
		var out []string
		for _, flavour := range flavours {
			out = append(out, prefix+flavour)
		}
		return out
	case *ast.SelectorExpr:
		var out []string
		ast.Inspect(fn, func(n ast.Node) bool {
			if list, ok := n.(*ast.CompositeLit); ok && list.Type == nil && len(list.Elts) > 0 {
				out = append(out, hookNames(list.Elts[0], fn, flavours)...)
			}
			return true
		})
		return out
	}
	return nil
}
