package nginxvhosts

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// newSite makes an app and what is around it.
func newSite(t *testing.T, root, lib, name string) *site {
	t.Helper()
	a := app.App{Name: name, Root: root}
	if err := os.MkdirAll(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{settings.Root + "=" + root, settings.LibRoot + "=" + lib}
	c := &plug.C{Call: &pluginhook.Call{Env: env, Runner: &pluginhook.Runner{Path: filepath.Join(lib, "plugins"), Env: env}}}
	return &site{c: c, s: c.Settings(), app: a}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestNames gives an app every source of names (section 7.1 of the old behaviour).
func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, app, vhost, env, own string
		want                       []string
		bad                        bool
	}{
		{what: "nothing set", app: "foo"},
		{what: "global name", app: "foo", vhost: "example.com\n", want: []string{"foo.example.com"}},
		{what: "no end of line", app: "foo", vhost: "example.com", want: []string{"foo.example.com"}},
		{what: "empty file", app: "foo", vhost: "\n"},
		{what: "address", app: "foo", vhost: "192.0.2.1\n"},
		{what: "address of version 6", app: "foo", vhost: "2001:db8::1\n"},
		{what: "own names", app: "foo", vhost: "example.com", own: "a.test\n*.b.test c.test\n", want: []string{"a.test", "*.b.test", "c.test"}},
		{what: "own names without a global one", app: "foo", own: "a.test\n", want: []string{"a.test"}},
		{what: "own name twice", app: "foo", own: "a.test\nA.Test\n", want: []string{"a.test"}},
		{what: "off", app: "foo", vhost: "example.com", own: "a.test", env: "export NO_VHOST='1'\n"},
		{what: "off is off", app: "foo", vhost: "example.com", env: "export NO_VHOST='0'\n", want: []string{"foo.example.com"}},
		{what: "an address as own name", app: "foo", own: "192.0.2.1", bad: true},
		{what: "bad own name", app: "foo", own: "a.test;}", bad: true},
		{what: "bad global name", app: "foo", vhost: "example.com;", bad: true},
		{what: "a star as global name", app: "foo", vhost: "*.example.com", bad: true},
		{what: "broken variables", app: "foo", vhost: "example.com", env: "export A='", bad: true},
	} {
		s := newSite(t, t.TempDir(), t.TempDir(), c.app)
		for path, text := range map[string]string{filepath.Join(s.app.Root, "VHOST"): c.vhost, s.app.Path("ENV"): c.env, s.app.Path("VHOST"): c.own} {
			if text != "" {
				write(t, path, text)
			}
		}
		got, err := s.names(t.Context())
		if (err != nil) != c.bad || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v, want %q", c.what, got, err, c.want)
		}
	}
}

// TestURLs asks where an app is, with host names, with a certificate, and with neither.
func TestURLs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, vhost, host, port string
		tls                     bool
		env                     []string
		want                    []string
	}{
		{what: "nothing", want: nil},
		{what: "port only", host: "host.example", port: "32768", want: []string{"http://host.example:32768"}},
		{what: "address", vhost: "192.0.2.1", host: "192.0.2.1", port: "32768", want: []string{"http://192.0.2.1:32768"}},
		{what: "address of version 6", host: "2001:db8::1", port: "32768", want: []string{"http://[2001:db8::1]:32768"}},
		{what: "name", vhost: "example.com", port: "32768", want: []string{"http://foo.example.com"}},
		{what: "name and port", vhost: "example.com", env: []string{"DOKKU_NGINX_PORT=8080"}, want: []string{"http://foo.example.com:8080"}},
		{what: "certificate", vhost: "example.com", tls: true, want: []string{"https://foo.example.com"}},
		{what: "certificate and port", vhost: "example.com", tls: true, env: []string{"DOKKU_NGINX_SSL_PORT=8443"}, want: []string{"https://foo.example.com:8443"}},
	} {
		s := newSite(t, t.TempDir(), t.TempDir(), "foo")
		s.s.Env = append(s.s.Env, c.env...)
		for path, text := range map[string]string{filepath.Join(s.app.Root, "VHOST"): c.vhost, filepath.Join(s.app.Root, "HOSTNAME"): c.host, s.app.Path("PORT"): c.port} {
			if text != "" {
				write(t, path, text+"\n")
			}
		}
		if c.tls {
			writePair(t, s.app.Path("tls"), "", "foo.example.com")
		}
		if got, err := s.urls(t.Context()); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v, want %q", c.what, got, err, c.want)
		}
	}
}

// TestClaim has apps ask for each other's names.
func TestClaim(t *testing.T) {
	t.Parallel()
	root, lib := t.TempDir(), t.TempDir()
	one, two := newSite(t, root, lib, "one"), newSite(t, root, lib, "two")
	long := strings.Repeat("a.", 126) + "a"
	own := func(s *site, names ...string) {
		t.Helper()
		write(t, s.app.Path("VHOST"), strings.Join(names, "\n"))
	}
	claim := func(s *site, names ...string) error {
		own(s, names...)
		return s.claim(t.Context(), names)
	}
	if err := claim(one, "x.test", "*.x.test", long); err != nil {
		t.Fatal(err)
	}
	if err := one.claim(t.Context(), []string{"X.test", long}); err != nil {
		t.Errorf("again: %v", err)
	}
	for _, name := range []string{"x.test", "X.TEST", "*.x.test", long} {
		if err := claim(two, "fine.test", name); err == nil || !strings.Contains(err.Error(), `app "one" has that name`) {
			t.Errorf("%.20s of another: got %v", name, err)
		}
	}
	own(one, "y.test")
	if err := claim(two, "x.test"); err != nil {
		t.Errorf("a name given up: %v", err)
	}
	if err := claim(one, "x.test"); err == nil {
		t.Error("a name taken over: got it back")
	}
	if err := os.RemoveAll(two.app.Dir()); err != nil {
		t.Fatal(err)
	}
	if err := claim(one, "x.test"); err != nil {
		t.Errorf("a name of an app that is gone: %v", err)
	}
}
