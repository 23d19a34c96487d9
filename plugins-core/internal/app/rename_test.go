package app_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

func fill(t *testing.T, a app.App, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(a.Path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(a.Path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRename gives an app another name unless that is taken, be it by an app that had it until now.
func TestRename(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	a, b, other := app.App{Name: "a", Root: root}, app.App{Name: "b", Root: root}, app.App{Name: "other", Root: root}
	fill(t, a, map[string]string{"ENV": "", app.RenamingFile: "a b\n"})
	fill(t, other, map[string]string{"ENV": ""})
	var taken *app.TakenError
	if err := a.Rename(other); !errors.As(err, &taken) {
		t.Errorf("to a taken name: got %v", err)
	}
	if err := a.Rename(b); err != nil {
		t.Fatal(err)
	}
	if from, to := b.Renaming(); a.Exists() || !b.Exists() || from != "a" || to != "b" {
		t.Errorf("got %q, %q; a is there: %v, b: %v", from, to, a.Exists(), b.Exists())
	}
	furnish := func() error { return nil }
	if err := a.Create(furnish); err == nil || a.Exists() {
		t.Errorf("an app of the old name can be made while the rest follows: %v", err)
	}
	if err := other.Rename(a); err == nil || a.Exists() {
		t.Errorf("another app can get the old name while the rest follows: %v", err)
	}
	if err := b.SetUnserved(); err != nil {
		t.Fatal(err)
	}
	if from, to := b.Renaming(); from != "a" || to != "b" || !b.Unserved() {
		t.Errorf("unserved: got %q, %q, %v", from, to, b.Unserved())
	}
	if err := a.Create(furnish); err == nil || a.Exists() {
		t.Errorf("an app of the old name can be made while the proxy goes by it: %v", err)
	}
	if err := b.SetState(app.RenamingFile, ""); err != nil {
		t.Fatal(err)
	}
	if err := a.Create(furnish); err != nil {
		t.Error(err)
	}
}

// TestRepoint has what nginx reads of an app lead to its directory as it is called now.
func TestRepoint(t *testing.T) {
	t.Parallel()
	b := app.App{Name: "b", Root: t.TempDir()}
	conf := func(name string) string {
		return "include " + b.Root + "/" + name + "/nginx.conf.d/*.conf;\nalias /x/down/a.html;\nupstream a {}\n# " + b.Root + "/a-b/\n"
	}
	for state, want := range map[string]string{"": "a", "b a": "a", "a b": "b", "a b unserved": "b"} {
		fill(t, b, map[string]string{app.RenamingFile: state, "nginx.conf": conf("a")})
		if err := b.Repoint(); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(b.Path("nginx.conf")); string(got) != conf(want) {
			t.Errorf("%q: got %s", state, got)
		}
	}
	if err := os.Remove(b.Path("nginx.conf")); err != nil {
		t.Fatal(err)
	}
	if err := b.Repoint(); err != nil || b.State("nginx.conf") != "" {
		t.Errorf("without a file: %v", err)
	}
}

// TestCopyTo copies what makes an app, and nothing of what it is doing.
func TestCopyTo(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	a, b := app.App{Name: "a", Root: root}, app.App{Name: "b", Root: root}.Draft()
	kept := map[string]string{"ENV": "1", "HEAD": "2", "refs/heads/master": "3", "objects/ab/cd": "4", "DOKKU_SCALE": "5", "tls/server.crt": "6",
		"nginx.conf.d/x.conf": "7", "hooks/mine": "8", "DOCKER_OPTIONS_RUN": "9", "PORTS": "10", "nginx.conf.sigil": "11", "nginx.conf.template": "12"}
	left := map[string]string{"CONTAINER": "", "CONTAINER.web.1": "", "IP.web.1": "", "PORT": "", "URL": "", "URLS": "", "VHOST": "", "nginx.conf": "",
		"nginx.conf.quarantined": "", "nginx.conf.trial": "", "cache/x": "", "releases/1.json": "", ".build.lock": "", ".queue/1": "", ".locked": "", "hooks/pre-receive": "",
		"objects/incoming-x/y": "", "objects/ab/tmp_obj": "", "refs/heads/master.lock": ""}
	fill(t, a, kept)
	fill(t, a, left)
	if err := os.Symlink("server.crt", a.Path("tls/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(b.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := a.CopyTo(b); err != nil {
		t.Fatal(err)
	}
	for name, want := range kept {
		if got := b.State(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for name := range left {
		if _, err := os.Lstat(b.Path(name)); err == nil {
			t.Errorf("%s is copied", name)
		}
	}
	if target, err := os.Readlink(b.Path("tls/link")); err != nil || target != "server.crt" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
}
