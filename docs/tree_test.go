package docs_test

import (
	"go/ast"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDirectories compares the table of directories with the tree: every directory at the top, and every one with Go
// code of the module in it.
func TestDirectories(t *testing.T) {
	var want []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == ".." {
			return err
		}
		rel := strings.TrimPrefix(path, "../")
		top := !strings.Contains(rel, "/")
		switch {
		case d.IsDir() && (rel == "bin" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && rel != ".ci" && rel != ".bootstrap"):
			return fs.SkipDir
		case d.IsDir() && (top || rel == "docs/examples"):
			want = append(want, rel)
		case !d.IsDir() && strings.HasSuffix(rel, ".go") && !top && !strings.HasPrefix(rel, "docs/examples/"):
			want = append(want, filepath.Dir(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "architecture.md", firstCodes(table(t, read(t, "architecture.md"), "## Directories")), want)
}

// TestVocabulary compares the words of scripts that testing.md tells of with those that there are.
func TestVocabulary(t *testing.T) {
	var want []string
	for _, f := range sources(t, true, "testscripts") {
		ast.Inspect(f.File, func(n ast.Node) bool {
			list, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			m, ok := list.Type.(*ast.MapType)
			if !ok {
				return true
			}
			if fn, ok := m.Value.(*ast.FuncType); !ok || len(fn.Params.List) != 3 {
				return true // a word is a func(ts, neg, args)
			}
			for _, e := range list.Elts {
				if word, ok := text(e.(*ast.KeyValueExpr).Key); ok {
					want = append(want, word)
				}
			}
			return true
		})
	}
	if !slices.Contains(want, "ssh") {
		t.Fatalf("got the words %q", want)
	}
	same(t, "testing.md", firstCodes(table(t, read(t, "testing.md"), "## Words of scripts")), want)
}

// TestLeftOut compares the tests that testing.md says -short leaves out with those that skip themselves then, or that
// a helper skips.
func TestLeftOut(t *testing.T) {
	files := sources(t, true, "testscripts", "pluginhook", "sshcommand", "dokku", "plugins-core")
	skips := map[string]bool{"Short": true}
	for range 2 { // first the helpers, then who calls them
		for _, f := range files {
			for _, decl := range f.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				if ok && fn.Body != nil && !strings.HasPrefix(fn.Name.Name, "Benchmark") && skipped(fn, skips) {
					skips[fn.Name.Name] = true
				}
			}
		}
	}
	var want []string
	for name := range skips {
		if strings.HasPrefix(name, "Test") {
			want = append(want, name)
		}
	}
	same(t, "testing.md", firstCodes(table(t, read(t, "testing.md"), "## What -short leaves out")), want)
}

// skipped tells whether fn leaves itself out with -short, or calls a helper that does it.
func skipped(fn *ast.FuncDecl, helpers map[string]bool) bool {
	found := false
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			if call, ok := n.Cond.(*ast.CallExpr); ok && calledName(call) == "Short" {
				ast.Inspect(n.Body, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && calledName(call) == "Skip" {
						found = true
					}
					return true
				})
			}
		case *ast.CallExpr:
			name := calledName(n)
			found = found || name != "Short" && helpers[name]
		}
		return true
	})
	return found
}
