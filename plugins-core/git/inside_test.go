package git

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// known finds the addresses of a few names.
func known(_ context.Context, host string) ([]net.IPAddr, error) {
	names := map[string][]net.IPAddr{
		"outside.example": {{IP: net.ParseIP("192.0.2.1")}, {IP: net.ParseIP("2001:db8::1")}},
		"inside.example":  {{IP: net.ParseIP("192.0.2.1")}, {IP: net.ParseIP("127.0.0.1")}},
	}
	if found, ok := names[host]; ok {
		return found, nil
	}
	return nil, errors.New("no such host")
}

func TestOutsideOptions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://outside.example/a":       "[[http.followRedirects false] [http.curloptResolve outside.example:443:192.0.2.1,[2001:db8::1]]]",
		"http://outside.example:8080/a":   "[[http.followRedirects false] [http.curloptResolve outside.example:8080:192.0.2.1,[2001:db8::1]]]",
		"https://192.0.2.1/a":             "[[http.followRedirects false]]",
		"https://proxied.example/a":       "[[http.followRedirects false] [http.proxy http://127.0.0.1:3128]]",
		"https://unknown.example/a":       "",
		"https://inside.example/a":        "",
		"http://127.0.0.1:3000/x.git":     "",
		"http://127.1/x":                  "",
		"http://2130706433/x":             "",
		"http://0x7f.1/x":                 "",
		"http://[::1]/x":                  "",
		"http://[fe80::1%25eth0]/x":       "",
		"http://localhost./x":             "",
		"http://a.LOCALHOST/x":            "",
		"http://169.254.169.254/latest/x": "",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		proxy := func(u *url.URL) (*url.URL, error) {
			if u.Hostname() == "proxied.example" {
				return url.Parse("http://127.0.0.1:3128")
			}
			return nil, nil
		}
		got, err := outsideOptions(t.Context(), known, proxy, u)
		if (err == nil) != (want != "") || err == nil && fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, %v, want %s", text, got, err, want)
		}
	}
}

// TestProxy asks by a proxy that only this host reaches: whom it asks counts, not where it is.
func TestProxy(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 9)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String()
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
		}
	}))
	defer proxy.Close()
	c := call()
	c.Env = []string{"HTTP_PROXY=" + proxy.URL, "NO_PROXY=direct.invalid"}
	for address, want := range map[string]string{
		"http://192.0.2.1/x": "", "http://no-such-host.invalid/x": "", // known to the proxy, maybe
		"http://169.254.169.254/x":                          "only an admin",
		"http://192.0.2.1/x?to=http://169.254.169.254/y":    "only an admin",
		"http://192.0.2.1/x?to=http://127.0.0.1:1/y":        "only an admin",
		"http://127.1/x":                                    "only an admin",
		proxy.URL:                                           "only an admin",
		strings.Replace(proxy.URL, "127.0.0.1", "[::1]", 1): "only an admin",
	} {
		resp, err := httpClient(c, false).Get(address)
		if err == nil {
			resp.Body.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
	close(asked)
	for address := range asked {
		if !strings.Contains(address, "//192.0.2.1/x") && !strings.Contains(address, "//no-such-host.invalid/x") {
			t.Errorf("the proxy was asked for %s", address)
		}
	}
}
