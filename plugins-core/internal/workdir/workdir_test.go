package workdir

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSweep(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	used, err := Make("web")
	if err != nil {
		t.Fatal(err)
	}
	killed, err := Make("web")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(killed.Path, "src", "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := killed.lock.Close(); err != nil { // as the kernel does
		t.Fatal(err)
	}
	others := []string{"dokku-web-api-123", "dokku-web-", "dokku-other-12", "dokku-web-1a"}
	for _, name := range others {
		if err := os.Mkdir(filepath.Join(tmp, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(tmp, "dokku-web-7")); err != nil {
		t.Fatal(err)
	}
	Sweep("web")
	if _, err := os.Stat(killed.Path); err == nil {
		t.Error("what a killed process has left is still there")
	}
	for _, name := range append(others, filepath.Base(used.Path), "dokku-web-7") {
		if _, err := os.Lstat(filepath.Join(tmp, name)); err != nil {
			t.Errorf("%s is gone: %v", name, err)
		}
	}
	if err := used.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(used.Path); err == nil {
		t.Error("it is still there")
	}
}
