package nginxvhosts

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

// messages are what nginx says, as nginx 1.22 writes it, with the paths that it names.
var messages = []struct {
	output, message string
	paths           []string
}{
	{"nginx: [emerg] unknown directive \"x\" in /r/a/nginx.conf.d/b.conf:1\nnginx: configuration file /n.conf test failed\n",
		`unknown directive "x" in /r/a/nginx.conf.d/b.conf:1`, []string{"/r/a/nginx.conf.d/b.conf"}},
	{"nginx: [warn] conflicting server name \"a\" on 0.0.0.0:80, ignored\nnginx: [emerg] host not found in upstream \"no.test\" in /r/a/nginx.conf:3\n",
		`host not found in upstream "no.test" in /r/a/nginx.conf:3`, []string{"/r/a/nginx.conf"}},
	{"nginx: [emerg] cannot load certificate \"/r/a/tls/server.crt\": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(/r/a/tls/server.crt, r))\n",
		`cannot load certificate "/r/a/tls/server.crt": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(/r/a/tls/server.crt, r))`,
		[]string{"/r/a/tls/server.crt"}},
	{"nginx: [emerg] open() \"/var/log/gone/a.log\" failed (2: No such file or directory)\n",
		`open() "/var/log/gone/a.log" failed (2: No such file or directory)`, []string{"/var/log/gone/a.log"}},
	{"nginx: [emerg] open() \"/etc/missing.conf\" failed (2: No such file or directory) in /r/a/nginx.conf.d/b.conf:2\n",
		`open() "/etc/missing.conf" failed (2: No such file or directory) in /r/a/nginx.conf.d/b.conf:2`, []string{"/r/a/nginx.conf.d/b.conf", "/etc/missing.conf"}},
	{"2026/01/02 03:04:05 [emerg] 12#12: bind() to 1.2.3.4:80 failed (99: Cannot assign requested address)\n",
		"bind() to 1.2.3.4:80 failed (99: Cannot assign requested address)", nil},
	{"nginx: [alert] could not open error log file: open() \"/x\" failed (13: Permission denied)\n", "", nil},
	{"sudo: a password is required\n", "", nil},
	{"", "", nil},
}

func TestReason(t *testing.T) {
	t.Parallel()
	for _, m := range messages {
		got := reason(m.output)
		if got != m.message {
			t.Errorf("got %q, want %q", got, m.message)
		}
		if paths := namedPaths(got); !slices.Equal(paths, m.paths) {
			t.Errorf("%q: got %q, want %q", got, paths, m.paths)
		}
	}
}

// FuzzReason looks for output of nginx that is taken for more than one line, or for a path that is none.
func FuzzReason(f *testing.F) {
	for _, m := range messages {
		f.Add(m.output)
	}
	f.Fuzz(func(t *testing.T, output string) {
		message := reason(output)
		if strings.ContainsAny(message, "\n") || !strings.Contains(output, message) {
			t.Errorf("%q: got the message %q", output, message)
		}
		for _, path := range namedPaths(message) {
			if !strings.HasPrefix(path, "/") || !strings.Contains(message, path) {
				t.Errorf("%q: got the path %q", message, path)
			}
			if name := appOf("/r", path); name != "" && (app.CheckName(name) != nil || !strings.HasPrefix(filepath.Clean(path), "/r/"+name+"/")) {
				t.Errorf("%q: got the app %q", path, name)
			}
		}
		claimsDefault(output)
	})
}

func TestSuspects(t *testing.T) {
	t.Parallel()
	root, lib := t.TempDir(), t.TempDir()
	one, two, idle := newSite(t, root, lib, "one"), newSite(t, root, lib, "two"), newSite(t, root, lib, "idle")
	write(t, one.conf(), "access_log /var/log/gone/x.log;\nssl_certificate "+root+"/tls/server.crt;\n")
	write(t, two.conf(), "ssl_certificate "+root+"/tls/server.crt;\n")
	write(t, two.app.Path("nginx.conf.d/a.conf"), "include /etc/shared.conf;\n")
	write(t, idle.app.Path("nginx.conf.d/a.conf"), "include /etc/shared.conf;\n") // not included, so not at fault
	for message, want := range map[string]string{
		`unknown directive "x" in ` + one.conf() + `:3`:                            "one",
		`unknown directive "x" in ` + two.app.Path("nginx.conf.d/a.conf") + `:3`:   "two",
		`cannot load certificate "` + two.app.Path("tls/server.crt") + `": ...`:    "two",
		`cannot load certificate "` + root + `/tls/server.crt": ...`:               "one two",
		`open() "/var/log/gone/x.log" failed (2: No such file or directory)`:       "one",
		`unknown directive "x" in /etc/shared.conf:1`:                              "two",
		`unknown directive "x" in /etc/nginx/nginx.conf:1`:                         "",
		`unknown directive "x" in ` + idle.app.Path("nginx.conf.d/a.conf") + `:3`:  "",
		`unknown directive "x" in ` + root + `/none/nginx.conf:3`:                  "",
		`could not build server_names_hash, you should increase x: 64`:             "",
		`unknown directive "x" in ` + root + `/../` + filepath.Base(root) + `/:1`:  "",
		`no "events" section in configuration`:                                     "",
		`open() "` + root + `/one" failed (2: No such file or directory)`:          "",
		`cannot load certificate key "` + one.app.Path("tls/../nginx.conf") + `":`: "one",
	} {
		h := one.host()
		if got := strings.Join(h.suspects(message), " "); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}

func TestClaimsDefault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"listen 80 default_server;":            true,
		"server { listen 80 default_server; }": true,
		"  listen\t[::]:80  default;":          true,
		"listen 80;":                           false,
		"# listen 80 default_server;":          false,
		"listen 80; # default_server":          false,
		"server_name default_server;":          false,
		"":                                     false,
	} {
		if got := claimsDefault(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

// TestQuarantine sets an app aside and brings it back, and puts back what a search has left.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	root, lib := t.TempDir(), t.TempDir()
	one, two := newSite(t, root, lib, "one"), newSite(t, root, lib, "two")
	unlock, err := one.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, one.conf(), "one")
	write(t, one.loadedFile(), "x")
	if q := one.quarantined(); q != nil {
		t.Errorf("got %v, want none", q)
	}
	if err := one.setAside(&quarantine{App: "one", Reason: "why"}); err != nil {
		t.Fatal(err)
	}
	q := one.quarantined()
	if q == nil || q.App != "one" || q.Reason != "why" || one.loaded() != "" || one.host().served("one") {
		t.Errorf("got %v, loaded %q", q, one.loaded())
	}
	if err := one.putBack(); err != nil || one.quarantined() != nil || !one.host().served("one") {
		t.Errorf("got %v, %v", one.quarantined(), err)
	}
	if _, err := os.Stat(one.quarantineFile()); !os.IsNotExist(err) {
		t.Errorf("the record is still there: %v", err)
	}
	// A search that was killed.
	write(t, one.host().trialFile(), "")
	write(t, two.conf(), "new")
	for _, s := range []*site{one, two} {
		write(t, s.conf()+trialSuffix, "old")
	}
	if err := os.Remove(one.conf()); err != nil {
		t.Fatal(err)
	}
	unlock()
	if unlock, err = one.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for s, want := range map[*site]string{one: "old", two: "new"} {
		if got, err := os.ReadFile(s.conf()); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", s.app.Name, got, err, want)
		}
		if _, err := os.Stat(s.conf() + trialSuffix); !os.IsNotExist(err) {
			t.Errorf("%s: the file of the trial is still there: %v", s.app.Name, err)
		}
	}
}
