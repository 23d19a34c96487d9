package record_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
