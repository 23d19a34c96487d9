package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, mode := range []os.FileMode{0o644, 0o600, 0o755} {
		text := fmt.Sprintf("text %o", mode)
		if err := record.Write(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
		if st, err := os.Stat(path); err != nil || st.Mode() != mode {
			t.Errorf("got mode %v, %v, want %v", st.Mode(), err, mode)
		}
	}
	if err := record.WriteLine(path, "line"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "line\n" {
		t.Errorf("got %q, %v, want the line", got, err)
	}
	alone(t, dir, "file")
}

// alone makes sure that nothing but file is in dir: no temporary file is left.
func alone(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(want) {
		t.Errorf("got %v, %v, want only %v", entries, err, want)
	}
}

// TestWriteAtomic has readers read while writers write: each finds one writer's text, whole.
func TestWriteAtomic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	text := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 100_000) }
	if err := record.Write(path, text(0), 0o644); err != nil {
		t.Fatal(err)
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for i := range 3 {
		writers.Go(func() {
			for range 10 {
				if err := record.Write(path, text(i), 0o644); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				got, err := os.ReadFile(path)
				if err != nil || len(got) != 100_000 || bytes.Count(got, got[:1]) != len(got) {
					t.Errorf("got %d bytes, %v: a part, or a mixture", len(got), err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	alone(t, dir, "file")
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	missing := filepath.Join(dir, "none/file")
	if err := record.Write(missing, nil, 0o644); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("cannot write %q: ", missing)) {
		t.Errorf("no directory: got %v", err)
	}
	occupied := filepath.Join(dir, "occupied")
	if err := os.MkdirAll(filepath.Join(occupied, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := record.Write(occupied, nil, 0o644); err == nil {
		t.Error("a directory in the place: got no error")
	}
	alone(t, dir, "occupied")
}

func TestRemove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := record.WriteLine(path, "line"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := record.Remove(path); err != nil {
			t.Error(err)
		}
	}
	if err := record.Remove(filepath.Join(dir, "none/file")); err != nil {
		t.Errorf("no directory: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "full/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := record.Remove(filepath.Join(dir, "full")); err == nil || !strings.HasPrefix(err.Error(), "cannot remove ") {
		t.Errorf("a directory with content: got %v", err)
	}
}

func TestDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deep := filepath.Join(dir, "a/b/c")
	for range 2 {
		if err := record.MkdirAll(deep, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := record.Mkdir(deep, 0o755); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want an error that says it is there", err)
	}
	if err := record.WriteLine(deep+"/file", "line"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{deep + "/file", deep + "/file/x"} {
		want := fmt.Sprintf("cannot make %q: ", deep+"/file")
		if err := record.MkdirAll(path, 0o755); err == nil || !strings.HasPrefix(err.Error(), want) && !strings.HasPrefix(err.Error(), want[:len(want)-3]) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
	if err := record.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "z")); err != nil {
		t.Error(err)
	}
	alone(t, dir, "z")
	if err := record.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "z")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := record.RemoveAll(filepath.Join(dir, "z")); err != nil {
			t.Error(err)
		}
	}
	alone(t, dir)
	if err := record.Symlink("file", filepath.Join(dir, "link")); err != nil {
		t.Error(err)
	}
	if err := record.Symlink("file", filepath.Join(dir, "link")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want an error that says it is there", err)
	}
}

// TestSweep leaves what is no temporary file, and what somebody may be writing now.
func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := time.Now().Add(-2 * time.Hour)
	for _, name := range []string{".ENV123456789", "ENV", ".build.lock", ".12345678", "file12345678", ".new1234567"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if name != ".new1234567" {
			if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	record.Sweep(dir)
	record.Sweep(filepath.Join(dir, "none"))
	alone(t, dir, "ENV", ".build.lock", ".12345678", "file12345678", ".new1234567")
}
