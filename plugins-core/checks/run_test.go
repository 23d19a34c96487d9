package checks

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// answers starts a server that answers in many ways, and another to which it leads.
func answers(t *testing.T) (address, elsewhere string) {
	t.Helper()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "elsewhere") }))
	t.Cleanup(other.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host, " ", r.Header.Get("X-Forwarded-Proto"), " ", r.URL.RawQuery)
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "short")
	})
	mux.Handle("/near", http.RedirectHandler("/echo", http.StatusFound))
	mux.Handle("/named", http.RedirectHandler("http://host.example/echo", http.StatusFound))
	mux.Handle("/secure", http.RedirectHandler("https://host.example/echo", http.StatusFound))
	mux.Handle("/far", http.RedirectHandler(other.URL+"/echo", http.StatusFound))
	mux.HandleFunc("/again", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-Proto") != "https" {
			http.Redirect(w, r, "https://host.example/again", http.StatusFound)
			return
		}
		http.Redirect(w, r, "/echo", http.StatusFound)
	})
	mux.Handle("/short", http.RedirectHandler("//other.example/echo", http.StatusFound))
	mux.Handle("/program", http.RedirectHandler("app://open", http.StatusFound))
	mux.HandleFunc("/zip", func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, "unpacked")
		_ = z.Close()
	})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "host.example" {
			http.Redirect(w, r, "http://host.example/auth", http.StatusFound)
			return
		}
		fmt.Fprint(w, r.Header.Get("Authorization"))
	})
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), strings.TrimPrefix(other.URL, "http://")
}

// TestExpect makes requests, and looks at the answers.
func TestExpect(t *testing.T) {
	t.Parallel()
	address, elsewhere := answers(t)
	for _, c := range []struct {
		host, path, expected string
		headers              []header
		want                 string
	}{
		{"", "/echo", address, nil, ""},
		{"", "/echo?a=b", "a=b", nil, ""},
		{"", "/echo", "x", nil, `expected to but did not find: "x"`},
		{"host.example", "/echo", "host.example ", nil, ""},
		{"", "/echo", "set.example ", []header{{"host", "set.example"}}, ""},
		{"", "/echo", " https ", []header{{"X-Forwarded-Proto", "https"}}, ""},
		{"", "/none", "", nil, "status 404"},
		{"", "/near", address, nil, ""},
		{"host.example", "/near", "host.example ", nil, ""},
		{"host.example", "/named", "host.example ", nil, ""},
		{"", "/named", "host.example ", nil, ""},
		{"", "/secure", "host.example https ", nil, ""},
		{"", "/again", "host.example https ", nil, ""},
		{"host.example", "/short", "other.example ", nil, ""},
		{"", "/far", elsewhere, nil, ""},
		{"", "/far", "elsewhere", nil, `expected to but did not find: "elsewhere" (after a redirect to 127.0.0.1:`},
		{"", "/program", "Found", nil, ""},
		{"", "/auth", "secret", []header{{"Authorization", "secret"}}, ""},
		{"", "/zip", "unpacked", nil, ""},
		{"", "/loop", "", nil, "more than 10 redirects, the last to http://"},
		{"", "/slow", "", nil, "no answer within 300ms"},
		{"", "/cut", "", nil, "unexpected EOF"},
	} {
		r := request{address: address, scheme: "http", host: c.host, path: c.path, timeout: 300 * time.Millisecond, headers: c.headers}
		if c.path != "/slow" {
			r.timeout = time.Minute
		}
		err := r.expect(t.Context(), func(body string) bool { return strings.Contains(body, c.expected) }, c.expected)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%s %q: got %v, want %q", c.host, c.path, c.expected, err, c.want)
		}
	}
	closed := request{address: "127.0.0.1:1", scheme: "http", path: "/", timeout: time.Minute}
	if err := closed.expect(t.Context(), func(string) bool { return true }, ""); err == nil || err.Error() != "connection refused" {
		t.Errorf("got %v, want that the connection is refused", err)
	}
}

// TestPause waits for a port that is open, for one that is not, and for a container that ends.
func TestPause(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	var port int
	if _, err := fmt.Sscanf(server.URL, "http://127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	p := &probe{port: port, ip: "127.0.0.1"}
	if err := p.pause(t.Context(), time.Hour); err != nil || !p.open {
		t.Errorf("an open port: got %v, %v", p.open, err)
	}
	p = &probe{port: 1, ip: "127.0.0.1"}
	if err := p.pause(t.Context(), 20*time.Millisecond); err != nil || p.open {
		t.Errorf("a closed port: got %v, %v", p.open, err)
	}
	ended := errors.New("ended")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(ended)
	for _, p := range []*probe{{port: 1, ip: "127.0.0.1"}, {open: true}, {}} {
		if err := p.pause(ctx, time.Hour); !errors.Is(err, ended) {
			t.Errorf("an ended container: got %v", err)
		}
	}
}

// TestLimits has settings in all places: the file, the app's variables, those of all apps, dokku's environment.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, own, global, env string
		want                   string
	}{
		{"", "", "", "", "5s 30s 5"},
		{"", "", "", "DOKKU_CHECKS_WAIT=1", "1s 30s 5"},
		{"", "", "DOKKU_CHECKS_WAIT=2", "DOKKU_CHECKS_WAIT=1", "2s 30s 5"},
		{"", "DOKKU_CHECKS_WAIT=3", "DOKKU_CHECKS_WAIT=2", "DOKKU_CHECKS_WAIT=1", "3s 30s 5"},
		{"", "DOKKU_CHECKS_WAIT=", "DOKKU_CHECKS_WAIT=2", "", "2s 30s 5"},
		{"WAIT=4\nTIMEOUT=6\nATTEMPTS=7", "DOKKU_CHECKS_WAIT=3\nDOKKU_CHECKS_ATTEMPTS=8", "DOKKU_CHECKS_TIMEOUT=9", "", "4s 6s 7"},
		{"", "DOKKU_CHECKS_ATTEMPTS=0", "", "", "error cannot use DOKKU_CHECKS_ATTEMPTS=0: nothing would be checked"},
		{"", "", "DOKKU_CHECKS_TIMEOUT=0", "", "error cannot use DOKKU_CHECKS_TIMEOUT=0"},
		{"", "DOKKU_CHECKS_WAIT=x", "", "", `error cannot use DOKKU_CHECKS_WAIT="x": give a whole number`},
		{"", "DOKKU_CHECKS_WAIT=100000", "", "", "error cannot use DOKKU_CHECKS_WAIT=100000: give at most"},
	} {
		a := newApp(t, c.own, c.global)
		v, err := readValues(call(a, c.env), a)
		if err != nil {
			t.Fatal(err)
		}
		l, err := parseList(c.file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.limits(l)
		text := fmt.Sprint(got.wait, got.timeout, got.attempts)
		if err != nil {
			text = "error " + err.Error()
		}
		if !strings.HasPrefix(text, c.want) {
			t.Errorf("%+v: got %s", c, text)
		}
	}
}

// newApp makes an app with variables of its own and of all apps.
func newApp(t *testing.T, own, global string) app.App {
	t.Helper()
	a := app.App{Name: "one", Root: t.TempDir()}
	if err := os.Mkdir(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{a.Path("ENV"): own, filepath.Join(a.Root, "ENV"): global} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func call(a app.App, env ...string) *plug.C {
	env = append(env, "DOKKU_ROOT="+a.Root, "DOKKU_LIB_ROOT="+a.Root+"/lib")
	return &plug.C{Call: &pluginhook.Call{Env: env}}
}

// TestSkipped asks why an app's processes are not checked.
func TestSkipped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		own, disabled, skipped, kind string
		want                         string
	}{
		{"", "", "", "web", ""},
		{"DOKKU_SKIP_ALL_CHECKS=true", "", "", "web", "DOKKU_SKIP_ALL_CHECKS is set"},
		{"DOKKU_SKIP_ALL_CHECKS=false", "", "", "web", ""},
		{"", "web", "", "web", "they are disabled"},
		{"", "web", "", "worker", ""},
		{"", "a,web", "_all_", "worker", "they are to be skipped"},
	} {
		a := newApp(t, c.own, "")
		cc := call(a)
		dir := filepath.Join(a.Root, "lib/config/checks/one")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for key, text := range map[string]string{disabled: c.disabled, skipped: c.skipped} {
			if err := os.WriteFile(filepath.Join(dir, key), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		v, err := readValues(cc, a)
		if err != nil {
			t.Fatal(err)
		}
		p := &probe{c: cc, app: a, kind: c.kind, values: v}
		if got := p.skipped(); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

// TestTypes adds to and takes from lists of process types.
func TestTypes(t *testing.T) {
	t.Parallel()
	known := []string{"web", "worker"}
	for _, c := range []struct{ list, word, with, without string }{
		{"", "web", "web", ""},
		{"web", "web", "web", ""},
		{"web", "a", "a,web", "web"},
		{"_all_", "web", "_all_", "worker"},
		{"web", "_all_", "_all_", ""},
		{"web\n", "", "_all_", ""},
	} {
		given, err := newTypes(strings.Fields(c.word))
		if err != nil {
			t.Fatal(err)
		}
		list := parseTypes(c.list)
		if got := list.with(given).String() + " " + list.without(given, known).String(); got != c.with+" "+c.without {
			t.Errorf("%+v: got %q", c, got)
		}
	}
	if _, err := newTypes([]string{"web", "../x"}); err == nil {
		t.Error("got no error for what is no type")
	}
}
