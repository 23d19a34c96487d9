package core_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	core "github.com/dokku-go/dokku/plugins-core"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// TestFiles compares the files of the checkout with the ones that the table of plugins makes.
func TestFiles(t *testing.T) {
	t.Parallel()
	for _, p := range core.All() {
		want := core.Files(p)
		entries, err := os.ReadDir(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() || strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			path := filepath.Join(p.Name, e.Name())
			text, ok := want[e.Name()]
			delete(want, e.Name())
			if !ok {
				t.Errorf("%s is no file of plugin %s: run go generate ./plugins-core", path, p.Name)
				continue
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != text {
				t.Errorf("%s: got %q (%v), want %q: run go generate ./plugins-core", path, got, err, text)
			}
			checkMode(t, path, text)
		}
		for name := range maps.Keys(want) {
			t.Errorf("%s is missing: run go generate ./plugins-core", filepath.Join(p.Name, name))
		}
	}
}

func checkMode(t *testing.T, path, text string) {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	executable := st.Mode()&0o111 != 0
	if want := strings.HasPrefix(text, "#!"); !st.Mode().IsRegular() || executable != want {
		t.Errorf("%s: got mode %v, want a regular file, executable: %v", path, st.Mode(), want)
	}
}

// TestDirectories finds plugins that are there and not in the table.
func TestDirectories(t *testing.T) {
	t.Parallel()
	others := []string{"gen", "internal", "plug", "settings", "testdata"} // packages, not plugins
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(others, e.Name()) && core.Lookup(e.Name()) == nil {
			t.Errorf("directory %s is no plugin in All()", e.Name())
		}
	}
	names := make([]string, 0, len(core.All()))
	for _, p := range core.All() {
		names = append(names, p.Name)
	}
	if !slices.IsSorted(names) {
		t.Errorf("got the order %v, want it sorted", names)
	}
}

// TestVerbs looks for verbs that two plugins claim, and for help that no screen shows well.
func TestVerbs(t *testing.T) {
	t.Parallel()
	owner := map[string]string{}
	for _, p := range core.All() {
		for _, cmd := range p.Commands {
			for _, verb := range append([]string{cmd.Name}, cmd.Aliases...) {
				if other, ok := owner[verb]; ok {
					t.Errorf("verb %s is of %s and of %s", verb, other, p.Name)
				}
				owner[verb] = p.Name
				got, row := core.Owner(verb)
				if got == nil || got.Name != p.Name || row.Name != cmd.Name {
					t.Errorf("Owner(%q): got %v, want %s of %s", verb, row, cmd.Name, p.Name)
				}
			}
			if cmd.Run == nil {
				t.Errorf("verb %s of %s does nothing", cmd.Name, p.Name)
			}
			if strings.ContainsAny(cmd.Help+cmd.Args, "\n\t") {
				t.Errorf("help of %s has more than one line: %q", cmd.Name, cmd.Help)
			}
		}
		for hook, fn := range p.Hooks {
			if fn == nil || p.Func(hook) == nil {
				t.Errorf("hook %s of %s does nothing", hook, p.Name)
			}
		}
	}
	if p, row := core.Owner("no-such-verb"); p != nil || row != nil {
		t.Errorf("Owner of an unknown verb: got %v", row)
	}
}

// TestWrite lays the plugins down, twice, and repairs what was changed since.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "available")
	changed, err := core.Write(dir)
	if err != nil || len(changed) != len(core.All()) {
		t.Fatalf("first: got %v, %v, want all %d", changed, err, len(core.All()))
	}
	if changed, err = core.Write(dir); err != nil || len(changed) != 0 {
		t.Errorf("second: got %v, %v, want no change", changed, err)
	}
	for _, p := range core.All() {
		for name, text := range core.Files(p) {
			path := filepath.Join(dir, p.Name, name)
			if got, err := os.ReadFile(path); err != nil || string(got) != text {
				t.Errorf("%s: got %q (%v), want %q", path, got, err, text)
			}
			checkMode(t, path, text)
		}
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("apps/commands", "#!/bin/sh\n", 0o755)           // edited
	write("git/old-hook", plug.Stub("git"), 0o755)         // of an earlier version
	write("git/own-hook", "#!/bin/sh\necho mine\n", 0o755) // somebody's own
	write("ps/commands", plug.Stub("ps"), 0o644)           // mode lost
	changed, err = core.Write(dir)
	if want := []string{"apps", "git", "ps"}; err != nil || !slices.Equal(changed, want) {
		t.Errorf("after changes: got %v, %v, want %v", changed, err, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "git/old-hook")); !os.IsNotExist(err) {
		t.Errorf("the stub of an earlier version is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "git/own-hook")); err != nil {
		t.Errorf("somebody's own hook is gone: %v", err)
	}
	checkMode(t, filepath.Join(dir, "ps/commands"), plug.Stub("ps"))
}

// scripts returns the shell scripts below this directory, stubs left out.
func scripts(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(file, ".go") {
			return err
		}
		data, err := os.ReadFile(file)
		if shell(string(data)) != "" {
			out = append(out, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("found no scripts")
	}
	return out
}

// shell returns the shell that the first line of a script names, "" when it names none.
func shell(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	line, ok := strings.CutPrefix(first, "#!")
	words := strings.Fields(line)
	if !ok || len(words) == 0 {
		return ""
	}
	if name := path.Base(words[len(words)-1]); name == "sh" || name == "bash" {
		return name
	}
	return ""
}

// TestScripts parses the shell scripts, compares their form with the printer's, and has shellcheck read them.
func TestScripts(t *testing.T) {
	t.Parallel()
	files := scripts(t)
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		variant := syntax.LangBash
		if shell(string(data)) == "sh" {
			variant = syntax.LangPOSIX
		}
		file, err := syntax.NewParser(syntax.KeepComments(true), syntax.Variant(variant)).Parse(bytes.NewReader(data), path)
		if err != nil {
			t.Errorf("cannot parse: %v", err)
			continue
		}
		var out bytes.Buffer
		printer := syntax.NewPrinter(syntax.Indent(2), syntax.SwitchCaseIndent(true), syntax.BinaryNextLine(true))
		if err := printer.Print(&out, file); err != nil || out.String() != string(data) {
			t.Errorf("%s is not formatted (%v): run go tool shfmt -w plugins-core", path, err)
		}
	}
	if testing.Short() {
		return
	}
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Fatal("shellcheck is missing: install the package shellcheck")
	}
	if out, err := exec.Command(shellcheck, append([]string{"--external-sources", "--"}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}
