package testscripts

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What the codebase promises about itself: who imports whom, how long things get, and what a start costs.

const module = "github.com/dokku-go/dokku"

// goPackage is what `go list` tells of a package.
type goPackage struct {
	ImportPath string
	Name       string
	Imports    []string
	Deps       []string
}

// rel is the import path below the module's, "" for packages of others.
func rel(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	return rest
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Imports,Deps", "./...")
	cmd.Dir = ".."
	var diag bytes.Buffer
	cmd.Stderr = &diag
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, diag.Bytes())
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// below tells whether path is dir or in it.
func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// isPlugin tells whether a path below the module's is a core plugin.
func isPlugin(path string) bool {
	name, ok := strings.CutPrefix(path, "plugins-core/")
	return ok && !below(name, "internal") && name != "plug" && name != "settings" && name != "gen"
}

// forbiddenImport tells why from, a path below the module's, may not import to; "" when it may.
func forbiddenImport(from, to string) string {
	commands := []string{"pluginhook/hookcmd", "sshcommand/sshcmd", "dokku/dokkucmd"}
	ours := rel(to)
	switch {
	case from == "pluginhook" && ours != "":
		return "the library stands on nothing of ours"
	case from == "pluginhook" && strings.Contains(to, ".") && to != "github.com/hashicorp/go-multierror" && to != "golang.org/x/sys/unix":
		return "the library takes the standard library, go-multierror and the kernel's calls"
	case strings.HasPrefix(to, "github.com/urfave/cli") && !slices.Contains(commands, from):
		return "only the commands parse their command line with it"
	case strings.HasPrefix(to, "github.com/docker/docker") && from != "plugins-core/internal/dockerapi":
		return "only dockerapi speaks with the engine"
	case isPlugin(from) && isPlugin(ours):
		return "a plugin calls another through a hook"
	case below(from, "sshcommand") && ours != "" && !below(ours, "sshcommand"):
		return "sshcommand stands alone"
	case below(from, "pluginhook") && ours != "" && !below(ours, "pluginhook"):
		return "pluginhook stands alone"
	case isPlugin(ours) && from != "plugins-core":
		return "only the table of core plugins knows them"
	case ours == "plugins-core" && !below(from, "dokku") && from != "plugins-core/gen":
		return "only dokku has the table of core plugins"
	case below(ours, "dokku") && !below(from, "dokku"):
		return "nothing stands on the shell"
	case from == "plugins-core/settings" && ours != "":
		return "settings stand on nothing of ours"
	}
	return ""
}

// TestImports checks the directions in which packages import each other.
func TestImports(t *testing.T) {
	t.Parallel()
	all := listPackages(t)
	if len(all) < 30 {
		t.Fatalf("got %d packages, want all of the module", len(all))
	}
	for _, p := range all {
		from := rel(p.ImportPath)
		for _, to := range p.Imports {
			if why := forbiddenImport(from, to); why != "" {
				t.Errorf("%s imports %s: %s", from, to, why)
			}
		}
		if from == "pluginhook/hookcmd" || from == "sshcommand/sshcmd" {
			for _, heavy := range []string{"net/http", "github.com/docker/docker/client"} {
				if slices.Contains(p.Deps, heavy) {
					t.Errorf("%s depends on %s: its binary stays small without", from, heavy)
				}
			}
		}
	}
}

// TestImportsFind makes sure that the check finds what it is there for.
func TestImportsFind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		bad      bool
	}{
		{"pluginhook", "github.com/urfave/cli/v2", true},
		{"pluginhook", "os/exec", false},
		{"pluginhook/hookcmd", "github.com/urfave/cli/v2", false},
		{"plugins-core/git", module + "/plugins-core/apps", true},
		{"plugins-core/git", module + "/plugins-core/internal/app", false},
		{"plugins-core", module + "/plugins-core/apps", false},
		{"plugins-core/ps", "github.com/docker/docker/client", true},
		{"sshcommand/sshcmd", module + "/plugins-core/settings", true},
		{"dokku/dokkucmd", module + "/plugins-core", false},
		{"plugins-core/plug", module + "/plugins-core", true},
	} {
		if got := forbiddenImport(c.from, c.to); (got != "") != c.bad {
			t.Errorf("%s imports %s: got %q, want forbidden: %v", c.from, c.to, got, c.bad)
		}
	}
}

// Limits of size; reaching one is a reason to think, and a comment with "long:" in it the way to say what came of it.
const (
	maxFileLines     = 400
	maxFunctionLines = 80
	maxMainLines     = 15
)

// TestSizes reads every Go file of the module for its length, and for initialisers, which no package needs.
func TestSizes(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != ".." && strings.HasPrefix(d.Name(), ".") || d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		files++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		checkSizes(t, path, source)
		return nil
	})
	if err != nil || files < 50 {
		t.Fatalf("read %d files: %v", files, err)
	}
	for _, main := range []string{"../pluginhook/cmd/pluginhook/main.go", "../sshcommand/main.go", "../dokku/main.go"} {
		source, err := os.ReadFile(main)
		if n := bytes.Count(source, []byte("\n")); err != nil || n > maxMainLines {
			t.Errorf("%s: got %d lines (%v), want at most %d", main, n, err, maxMainLines)
		}
	}
}

func checkSizes(t *testing.T, path string, source []byte) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return
	}
	if n := bytes.Count(source, []byte("\n")); n > maxFileLines && !reasoned(file.Doc) {
		t.Errorf("%s: got %d lines, want at most %d", path, n, maxFileLines)
	}
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		lines := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1
		if lines > maxFunctionLines && !reasoned(fn.Doc) {
			t.Errorf("%s: %s has %d lines, want at most %d or a comment that says why after \"long:\"", set.Position(fn.Pos()), fn.Name.Name, lines, maxFunctionLines)
		}
		if fn.Name.Name == "init" && fn.Recv == nil && !strings.HasSuffix(path, "_test.go") {
			t.Errorf("%s: an init function: what it sets up is better made on first use", set.Position(fn.Pos()))
		}
	}
}

func reasoned(doc *ast.CommentGroup) bool { return doc != nil && strings.Contains(doc.Text(), "long:") }

// TestInit builds the binaries and has the runtime tell which packages do work at every start: none of ours may.
// Those that go without the engine's client stay small.
func TestInit(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binaries: not in short mode")
	}
	t.Parallel()
	// In MiB; sshcommand has the key formats of golang.org/x/crypto/ssh, and the network that comes with it.
	for pkg, limit := range map[string]int64{"./pluginhook/cmd/pluginhook": 4, "./sshcommand": 7, "./dokku": 16} {
		file := filepath.Join(t.TempDir(), filepath.Base(pkg))
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, pkg)
		build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("cannot build %s: %v\n%s", pkg, err, out)
		}
		if st, err := os.Stat(file); err != nil || st.Size() > limit<<20 {
			t.Errorf("%s: got %v (%v), want a file of at most %d MiB", pkg, st, err, limit)
		}
		cmd := exec.Command(file, "--version")
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1", "DOKKU_ROOT="+t.TempDir(), "PLUGIN_PATH="+t.TempDir())
		var trace bytes.Buffer
		cmd.Stderr = &trace
		_ = cmd.Run() // what it answers is of no interest here
		packages := 0
		for lines := bufio.NewScanner(&trace); lines.Scan(); {
			name, ok := strings.CutPrefix(lines.Text(), "init ")
			if !ok {
				continue
			}
			packages++
			if name, _, _ = strings.Cut(name, " "); strings.HasPrefix(name, module) || name == "main" {
				t.Errorf("%s: package %s does work at every start: %s", pkg, name, lines.Text())
			}
		}
		if packages == 0 {
			t.Errorf("%s: got no trace: %s", pkg, trace.Bytes())
		}
	}
}
