package git

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

func call(args ...string) *plug.C {
	return &plug.C{Call: &pluginhook.Call{Args: args, Runner: &pluginhook.Runner{}, Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}}
}

func TestAuthorOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words []string
		want  author
		ok    bool
	}{
		{nil, author{"Dokku", "automated@dokku.sh"}, true},
		{[]string{"Änn Öther"}, author{"Änn Öther", "automated@dokku.sh"}, true},
		{[]string{"", "a@b"}, author{"Dokku", "a@b"}, true},
		{[]string{"A", "a@b"}, author{"A", "a@b"}, true},
		{[]string{"A", "a@b", "more"}, author{}, false},
		{[]string{"A <a@b>"}, author{}, false},
		{[]string{"A\nB"}, author{}, false},
		{[]string{"A\xff"}, author{}, false},
		{[]string{strings.Repeat("a", 201)}, author{}, false},
	} {
		got, err := authorOf(call(), c.words)
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%q: got %v, %v", c.words, got, err)
		}
	}
}

func TestWord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ words, value, rest string }{
		{"a b", "", "a b"},
		{"--type x a b", "x", "a b"},
		{"a --type=x b", "x", "a b"},
		{"a b --type", "", "!"},
		{"a -- --type x", "", "a -- --type x"},
		{"--type= a", "", "a"},
	} {
		value, rest, _, err := word(strings.Fields(c.words), "--type")
		if got := strings.Join(rest, " "); (err != nil) != (c.rest == "!") || err == nil && (value != c.value || got != c.rest) {
			t.Errorf("%q: got %q, %q, %v", c.words, value, got, err)
		}
	}
}

func TestArchiveURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://user:secret@host:1/a%2Fb.tgz?token=secret#secret": "https://host:1/a%2Fb.tgz",
		"http://host":        "http://host",
		"HTTPS://Host/x.zip": "https://Host/x.zip",
		"file:///etc/passwd": "", "/etc/passwd": "", "ftp://host/x": "", "http:///x": "", "https:x": "", "-o": "", "": "",
		"http://host/a b": "", "http://host/\n": "", "http://:80/": "",
	} {
		u, err := archiveURL(text)
		if (err == nil) != (want != "") || err == nil && shown(u) != want {
			t.Errorf("%q: got %v, %v, want %q", text, u, err, want)
		}
	}
}

// FuzzArchiveURL takes any text for an address: what is shown of one has nothing secret in it, and is one again.
func FuzzArchiveURL(f *testing.F) {
	f.Add("https://user:secret@host:1/a%2Fb.tgz?token=secret#secret")
	f.Add("http://[::1]:80/x")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := archiveURL(text)
		if err != nil {
			return
		}
		again, err := archiveURL(shown(u))
		if err != nil || again.User != nil || again.RawQuery != "" || again.Fragment != "" || again.Host != u.Host {
			t.Errorf("%q: got %q, %v", text, shown(u), err)
		}
	})
}

func TestRefuseInside(t *testing.T) {
	t.Parallel()
	for address, inside := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "0.0.0.0:80": true, "169.254.169.254:80": true, "[fe80::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"224.0.0.1:80": true, "192.0.2.1:80": false, "[2001:db8::1]:443": false, "none": true,
	} {
		if err := refuseInside("tcp", address, nil); (err != nil) != inside {
			t.Errorf("%s: got %v", address, err)
		}
	}
}
