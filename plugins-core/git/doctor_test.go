package git

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

// TestReadRef reads refs in a file of their own and in packed-refs, of which the first counts.
func TestReadRef(t *testing.T) {
	t.Parallel()
	a := app.App{Name: "one", Root: t.TempDir()}
	write := func(file, text string) {
		t.Helper()
		path := a.Path(file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	x, y := strings.Repeat("a", 40), strings.Repeat("b", 40)
	want := func(ref, rev string) {
		t.Helper()
		if got, err := readRef(a, ref); err != nil || got != rev {
			t.Errorf("%s: got %q, %v, want %q", ref, got, err, rev)
		}
	}
	want("refs/heads/master", "")
	write("packed-refs", "# pack-refs with: peeled fully-peeled sorted\n"+x+" refs/heads/main\n"+x+" refs/heads/master\n^"+y+"\nodd refs/heads/odd\n")
	want("refs/heads/master", x)
	want("refs/heads/mast", "")
	want("refs/heads/odd", "")
	write("refs/heads/master", y+"\n")
	want("refs/heads/master", y)
}
