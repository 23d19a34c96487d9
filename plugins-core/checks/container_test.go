package checks

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
)

// TestFindChecks has CHECKS in some of the places where it may be.
func TestFindChecks(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, c := range []struct {
		server, label, workDir string
		files                  map[string]string // of the container
		want                   string            // text and place
	}{
		{"", "", "", nil, " "},
		{"", "", "/srv", nil, " "},
		{"s", "l", "", map[string]string{"/app/CHECKS": "a"}, "s the server"},
		{"", "l", "", map[string]string{"/app/CHECKS": "a"}, "l the source"},
		{"", "", "", map[string]string{"/app/CHECKS": "a", "/CHECKS": "r"}, "a /app/CHECKS in the container"},
		{"", "", "", map[string]string{"/CHECKS": "r"}, "r /CHECKS in the container"},
		{"", "", "/app", map[string]string{"/CHECKS": "r"}, " "},
		{"", "", "/srv/", map[string]string{"/CHECKS": "r", "/srv/CHECKS": "w"}, "w /srv/CHECKS in the container"},
		{"", "", "srv/../x", map[string]string{"/x/CHECKS": "w"}, "w /x/CHECKS in the container"},
		{"", "", "/srv", map[string]string{"/app/CHECKS": "", "/srv/CHECKS": "w"}, "w /srv/CHECKS in the container"},
		{"", "", "/srv", map[string]string{"/app/CHECKS": "broken", "/srv/CHECKS": "w"}, "error broken"},
	} {
		a := newApp(t, "", "")
		if c.server != "" {
			if err := os.WriteFile(a.Path("CHECKS"), []byte(c.server), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		image := &dockerapi.Image{WorkDir: c.workDir, Labels: map[string]string{dockerapi.LabelChecks: base64.StdEncoding.EncodeToString([]byte(c.label))}}
		text, from, err := findChecks(t.Context(), a, image, func(_ context.Context, path string) ([]byte, error) {
			switch text, ok := c.files[path]; {
			case !ok:
				return nil, errdefs.ErrNotFound
			case text == "broken":
				return nil, broken
			default:
				return []byte(text), nil
			}
		})
		got := text + " " + from
		if err != nil {
			got = "error " + err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
	if _, err := labelText(&dockerapi.Image{Labels: map[string]string{"x": "?"}}, "x"); err == nil {
		t.Error("got no error for a label that is no base64")
	}
}

// TestServerFile has things on the server that are no CHECKS.
func TestServerFile(t *testing.T) {
	t.Parallel()
	shared := filepath.Join(t.TempDir(), "shared")
	if err := os.WriteFile(shared, []byte("/"), 0o644); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		make func(file string) error
		want string
	}{
		"directory":        {func(file string) error { return os.Mkdir(file, 0o755) }, "has to be a regular file"},
		"too large":        {func(file string) error { return os.WriteFile(file, make([]byte, deploy.MaxSourceFile+1), 0o644) }, "of at most 64 KiB"},
		"link to nothing":  {func(file string) error { return os.Symlink("nothing", file) }, ""},
		"link to a device": {func(file string) error { return os.Symlink("/dev/zero", file) }, "has to be a regular file"},
		"link to a file":   {func(file string) error { return os.Symlink(shared, file) }, ""},
		"link to itself":   {func(file string) error { return os.Symlink("CHECKS", file) }, "cannot read the checks"},
	} {
		a := newApp(t, "", "")
		if err := c.make(a.Path("CHECKS")); err != nil {
			t.Fatal(err)
		}
		text, err := serverFile(a)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, want %q", what, text, err, c.want)
		}
	}
}

func TestPortOf(t *testing.T) {
	t.Parallel()
	noted := &release.Release{Ports: map[string]int{"web": 8080}}
	for _, c := range []struct {
		current *release.Release
		kind    string
		want    int
	}{{noted, "web", 8080}, {noted, "worker", 0}, {nil, "web", 5000}, {nil, "worker", 0}} {
		if got := (c.current).Port(c.kind); got != c.want {
			t.Errorf("%+v: got %d", c, got)
		}
	}
	if h := (&health{port: 7}); h.portOf(80) != 7 || (&health{}).portOf(80) != 80 || (&health{}).portOf(0) != 5000 {
		t.Error("the port of a healthcheck is its own, the process's, or 5000")
	}
}
