package deploy_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// TestSourceLabels reads trees that have the files, have none, and have other things of their names.
func TestSourceLabels(t *testing.T) {
	t.Parallel()
	write := func(name, text string) func(dir string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644) }
	}
	largest := strings.Repeat("#", deploy.MaxSourceFile)
	for _, c := range []struct {
		what         string
		make         func(dir string) error
		checks, json string
		err          string
	}{
		{"nothing", func(string) error { return nil }, "", "", ""},
		{"checks", write("CHECKS", "/ \xff\n"), "/ \xff\n", "", ""},
		{"app.json", write("app.json", "{}"), "", "{}", ""},
		{"as large as can be", write("CHECKS", largest), largest, "", ""},
		{"too large", write("CHECKS", largest+"#"), "", "", "cannot use CHECKS of the source: it has more than 64 KiB"},
		{"directory", func(dir string) error { return os.Mkdir(dir+"/app.json", 0o755) }, "", "", "cannot use app.json of the source: it is not a regular file"},
		{"link", func(dir string) error { return os.Symlink("/etc/passwd", dir+"/CHECKS") }, "", "", "cannot use CHECKS of the source: it is not a regular file"},
		{"pipe", func(dir string) error { return syscall.Mkfifo(dir+"/CHECKS", 0o644) }, "", "", "cannot use CHECKS of the source: it is not a regular file"},
	} {
		dir := t.TempDir()
		if err := c.make(dir); err != nil {
			t.Fatal(err)
		}
		got, err := deploy.SourceLabels(settings.Settings{}, app.App{Name: "foo"}, dir)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%s: got %v, want %s", c.what, err, c.err)
			}
			continue
		}
		checks, json := base64.StdEncoding.EncodeToString([]byte(c.checks)), base64.StdEncoding.EncodeToString([]byte(c.json))
		if err != nil || len(got) != 5 || got[dockerapi.LabelChecks] != checks || got[dockerapi.LabelAppJSON] != json {
			t.Errorf("%s: got %v, %v", c.what, got, err)
		}
	}
}
