package docs_test

import (
	"go/ast"
	"os"
	"strings"
	"testing"
)

// TestOperations makes sure that each promise of operations.md names scripts and tests that there are.
func TestOperations(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{}
	for _, f := range sources(t, true, "testscripts") {
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				tests[fn.Name.Name] = true
			}
		}
	}
	promises := 0
	for line := range strings.Lines(read(t, "operations.md")) {
		r := cells(line)
		if r == nil || len(r) != 2 || r[1] == "shown by" || strings.HasPrefix(r[1], "---") {
			continue
		}
		promises++
		for name := range strings.SplitSeq(r[1], ", ") {
			name = strings.Trim(name, "`")
			if strings.HasPrefix(name, "Test") && !tests[name] {
				t.Errorf("%q: there is no test %s", r[0], name)
			}
			if _, err := os.Stat("../testscripts/" + name + ".txtar"); !strings.HasPrefix(name, "Test") && err != nil {
				t.Errorf("%q: there is no script %s", r[0], name)
			}
		}
	}
	if promises < 20 {
		t.Errorf("found %d promises", promises)
	}
}
