package record_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// TestLeftovers has a writer at work, and files that look like temporary ones.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	dir, empty := t.TempDir(), t.TempDir()
	for _, name := range []string{".ENV1234567", ".CONTAINER.web.17777777", "..stopped123456789", ".going123456", ".env.lock", "ENV123456", ".123456", ".v1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		time.Sleep(200 * time.Millisecond) // its writer is at work for so long
		_ = os.Remove(filepath.Join(dir, ".going123456"))
	}()
	got := record.Leftovers(empty, dir, filepath.Join(dir, "none"))
	slices.Sort(got)
	want := []string{dir + "/..stopped123456789", dir + "/.CONTAINER.web.17777777", dir + "/.ENV1234567"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	began := time.Now()
	if got := record.Leftovers(empty); len(got) > 0 || time.Since(began) > 500*time.Millisecond {
		t.Errorf("nothing there: got %q after %s", got, time.Since(began))
	}
}
