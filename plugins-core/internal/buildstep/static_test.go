package buildstep_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
)

func TestStaticHandler(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"index.html": "<p>top", "a/index.html": "<p>a", "b/x.txt": "x", ".env": "secret", ".git/config": "secret", "c.unknown": "<p>", "we ird.css": "p{}",
		".well-known/acme": "proof", "../" + filepath.Base(outside) + "/secret": "secret",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"abs": filepath.Join(outside, "secret"), "rel": "../" + filepath.Base(outside) + "/secret", "dir": outside, "in": "b/x.txt"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	handler := buildstep.StaticHandler(root.FS())
	get := func(method, path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", nil)
		r.URL.Path = path
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		path       string
		code       int
		kind, body string
	}{
		{"/", 200, "text/html; charset=utf-8", "<p>top"},
		{"/a/", 200, "text/html; charset=utf-8", "<p>a"},
		{"/a", 301, "", ""},
		{"/index.html", 301, "", ""},
		{"/b/x.txt", 200, "text/plain; charset=utf-8", "x"},
		{"/in", 200, "application/octet-stream", "x"},
		{"/we ird.css", 200, "text/css; charset=utf-8", "p{}"},
		{"/c.unknown", 200, "application/octet-stream", "<p>"},
		{"/.well-known/acme", 200, "application/octet-stream", "proof"},
		{"/b/", 404, "", ""}, {"/none", 404, "", ""}, {"/.env", 404, "", ""}, {"/.git/config", 404, "", ""}, {"/x/../.env", 404, "", ""},
		{"/abs", 404, "", ""}, {"/rel", 404, "", ""}, {"/dir/secret", 404, "", ""}, {"/../" + filepath.Base(outside) + "/secret", 404, "", ""},
		{"/b/x.txt/", 404, "", ""}, {"/\x00", 404, "", ""}, {"//b//x.txt", 200, "", ""},
	} {
		w := get(http.MethodGet, c.path)
		if w.Code != c.code && (w.Code == 200 || c.code == 200 && c.kind != "") {
			t.Errorf("%q: got %d, want %d", c.path, w.Code, c.code)
		}
		if got := w.Header().Get("Content-Type"); c.kind != "" && (got != c.kind || w.Body.String() != c.body) {
			t.Errorf("%q: got %q, %q, want %q, %q", c.path, got, w.Body.String(), c.kind, c.body)
		}
		if strings.Contains(w.Body.String(), "secret") && c.code != 200 {
			t.Errorf("%q: got %q", c.path, w.Body.String())
		}
	}
	if w := get(http.MethodGet, "/b/x.txt", "Range", "bytes=0-0"); w.Code != 206 || w.Body.String() != "x" {
		t.Errorf("a range: got %d, %q", w.Code, w.Body.String())
	}
	if w := get(http.MethodPost, "/"); w.Code != 405 {
		t.Errorf("POST: got %d", w.Code)
	}
	if w := get(http.MethodHead, "/none"); w.Code != 404 {
		t.Errorf("HEAD: got %d", w.Code)
	}
}
