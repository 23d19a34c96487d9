package docs_test

import (
	"go/ast"
	"path/filepath"
	"testing"
)

// TestChecks compares the checks that doctor.md tells of with the areas that the core plugins look at.
func TestChecks(t *testing.T) {
	var want []string
	for _, f := range sources(t, false, "plugins-core") {
		ast.Inspect(f.File, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || calledName(call) != "Diagnose" {
				return true
			}
			for _, e := range call.Args[0].(*ast.CompositeLit).Elts {
				area, _ := text(e)
				want = append(want, area+" "+filepath.Base(filepath.Dir(f.path)))
			}
			return true
		})
	}
	var got []string
	for _, r := range table(t, read(t, "doctor.md"), "## What it looks at") {
		got = append(got, firstCodes([][]string{r})[0]+" "+r[1])
	}
	same(t, "doctor.md", got, want)
}
