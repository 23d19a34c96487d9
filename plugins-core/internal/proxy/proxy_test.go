package proxy_test

import (
	"net/http"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/proxy"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// TestOf goes by the settings, whatever the environment of the process says.
func TestOf(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://other:1")
	t.Setenv("HTTPS_PROXY", "http://other:1")
	of := proxy.Of(settings.Settings{Env: []string{"http_proxy=http://lower:2", "HTTPS_PROXY=http://upper:3", "NO_PROXY=.inside"}})
	for url, want := range map[string]string{"http://x.example/": "http://lower:2", "https://x.example/": "http://upper:3", "https://x.inside/": "", "http://localhost/": ""} {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := of(r)
		if err != nil || (got == nil) != (want == "") || got != nil && got.String() != want {
			t.Errorf("%s: got %v, %v, want %q", url, got, err, want)
		}
	}
}
