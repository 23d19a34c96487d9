package dockerapi_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
)

// TestPack packs a tree, and one from which a file is gone before its turn comes: that is not passed over in silence.
func TestPack(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"a": 1 << 20, "b": 10, "c": 10} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	source, err := dockerapi.Pack(dir, []string{"c"})
	if err != nil {
		t.Fatal(err)
	}
	if got := entries(t, source); !slices.Equal(got, []string{"a", "b"}) || source.Err() != nil {
		t.Errorf("got %v, %v", got, source.Err())
	}
	if os.Geteuid() == 0 {
		return // root may read all
	}
	if err := os.Chmod(filepath.Join(dir, "b"), 0); err != nil {
		t.Fatal(err)
	}
	if source, err = dockerapi.Pack(dir, nil); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, source); slices.Contains(got, "b") || source.Err() == nil {
		t.Errorf("got %v, %v; want an error about b", got, source.Err())
	}
}

func entries(t *testing.T, r io.ReadCloser) (names []string) {
	t.Helper()
	defer r.Close()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}
