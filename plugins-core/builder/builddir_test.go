package builder

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestKeepOnly narrows trees to a directory, and to what only looks like one.
func TestKeepOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ sub, want, err string }{
		{"app", "app new sub sub/file", ""},
		{"app/sub", "file", ""},
		{"none", "", "no such directory"},
		{"top", "", "no such directory"},   // a file
		{"link", "", "no such directory"},  // to app
		{"out", "", "no such directory"},   // of the tree
		{"out/x", "", "no such directory"}, // behind it
		{"../x", "", "no directory of the source"},
	} {
		dir, outside := t.TempDir(), t.TempDir()
		for name, text := range map[string]string{"top": "1", "app/app": "2", "app/new": "3", "app/sub/file": "4", "other/app": "5"} {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(filepath.Join(outside, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, target := range map[string]string{"link": "app", "out": outside} {
			if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		before := names(t, dir)
		err := keepOnly(dir, c.sub)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v, want %q", c.sub, err, c.err)
			}
			if got := names(t, dir); got != before {
				t.Errorf("%s: left %s of %s", c.sub, got, before)
			}
		} else if got := names(t, dir); err != nil || got != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.sub, got, err, c.want)
		}
		if _, err := os.Stat(filepath.Join(outside, "x")); err != nil {
			t.Errorf("%s: %v", c.sub, err)
		}
	}
}

// names lists all that is below dir.
func names(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
