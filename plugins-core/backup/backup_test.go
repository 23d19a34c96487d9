package backup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

// TestImportRoot finds DOKKU_ROOT in archives of hosts that had it elsewhere.
func TestImportRoot(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"home/dokku/HOSTNAME":           "home/dokku",
		"srv/a/b/web/ENV":               "srv/a/b",
		"data/.ssh/authorized_keys":     "data",
		"here/other":                    "here",
		"nothing/of/ours":               "here",
		"x/web/VHOST":                   "x",
		"opt/paas/.sshcommand":          "opt/paas",
		"home/dokku/other/nginx.conf.d": "here",
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := importRoot(root, dir, []string{"web"}, "/here"); got != filepath.Join(dir, want) {
			t.Errorf("%s: got %q, want %q", file, got, want)
		}
		_ = root.Close()
	}
}

// FuzzAppNames reads any list of apps: what comes out is a name once, and none that leads elsewhere passes the check.
func FuzzAppNames(f *testing.F) {
	for _, seed := range []string{"", "web\n", ".ssh\ntls\nweb\n", "web\nweb", "../x\n", "a/b\n\n", "\x00\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, appsFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		names, err := appNames(root)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, name := range names {
			if seen[name] || strings.ContainsAny(name, "\n") || name == "tls" || strings.HasPrefix(name, ".") {
				t.Errorf("%q: got %q", text, name)
			}
			seen[name] = true
			if app.CheckName(name) == nil && !filepath.IsLocal(name) {
				t.Errorf("%q is taken for an app's name", name)
			}
		}
	})
}
