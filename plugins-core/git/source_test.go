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

func TestParseRemote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]remote{
		"https://host/a/b.git":             {address: "https://host/a/b.git", shown: "https://host/a/b.git"},
		"https://me:hidden@host/a?token=x": {address: "https://me:hidden@host/a?token=x", shown: "https://host/a", secret: "hidden", written: "me:hidden"},
		"https://hidden@host/a":            {address: "https://hidden@host/a", shown: "https://host/a", secret: "hidden", written: "hidden"},
		"ssh://git@host:22/a":              {address: "ssh://git@host:22/a", shown: "ssh://host:22/a"},
		"git://[::1]:9418/a":               {address: "git://[::1]:9418/a", shown: "git://[::1]:9418/a"},
		"git@host.example:a/b.git":         {address: "git@host.example:a/b.git", shown: "git@host.example:a/b.git"},
		"host:/abs":                        {address: "host:/abs", shown: "host:/abs"},
		"/a/../b":                          {address: "/b", shown: "/b", local: true},
		"file:///a":                        {address: "/a", shown: "/a", local: true},
	} {
		got, err := parseRemote(text)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-x", "a", "./a", "../a", "ext::sh", "ext::sh:x", "fd::7", "http::x", "https://", "https://host", "https://-x/a", "https://host/-x",
		"ssh://-oProxyCommand=x/a", "ssh://-x@host/a", "-x@host:a", "u@-x:a", "host:-x", "host:", ":a", "ftp://h/a", "file://other/a", "https://h/a b",
		"https://h/\n", "a@b@c:d", "git+ssh://h/a", "u$(id)@h:a", "h;id:a", "\xff:a"} {
		if got, err := parseRemote(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
	r, _ := parseRemote("https://me:a%20b@host/x")
	if got := r.hide("x a b y a+b z"); got != "x *** y *** z" {
		t.Errorf("got %q", got)
	}
	r, err := parseRemote("https://me:a%2fb%21c$d+e%3A@host/x") // git is given it in another form
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"a/b!c$d+e:", "a%2Fb%21c$d+e%3A", "a%2Fb%21c%24d%2Be%3A", strings.TrimSuffix(strings.TrimPrefix(r.address, "https://me:"), "@host/x")} {
		if got := r.hide("x " + form + " y"); got != "x *** y" {
			t.Errorf("%s: got %q", form, got)
		}
	}
}

// FuzzParseRemote takes any text for the address of a repository: nothing that git or ssh would take for an option or a
// command passes.
func FuzzParseRemote(f *testing.F) {
	for _, text := range []string{"https://me:hidden@host/a?token=x", "ext::sh -c id", "git@host:a", "ssh://-oProxyCommand=x/a", "/a", "host:-x", "file:///a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRemote(text)
		if err != nil {
			return
		}
		scheme, rest, _ := strings.Cut(r.address, ":")
		host := scheme // of one like user@host:path
		if strings.HasPrefix(rest, "//") {
			host, _, _ = strings.Cut(rest[2:], "/")
		}
		switch {
		case strings.HasPrefix(r.address, "-"), strings.ContainsAny(r.address, "\n\x00"), !r.local && strings.HasPrefix(r.address[len(scheme):], "::"),
			r.local != strings.HasPrefix(r.address, "/"), !r.local && (strings.HasPrefix(host, "-") || strings.Contains(host, "@-")):
			t.Errorf("%q: got %+v", text, r)
		}
	})
}

func TestChoose(t *testing.T) {
	t.Parallel()
	found := map[string]bool{"refs/heads/main": true, "refs/tags/v1": true, "refs/heads/v1": false, "refs/heads/both": true, "refs/tags/both": true}
	for _, c := range []struct{ ref, configured, refspec, branch string }{
		{"", "", "+refs/heads/main:refs/fetched/it", "main"},
		{"", "other", "", ""},
		{"main", "other", "+refs/heads/main:refs/fetched/it", "main"},
		{"both", "", "+refs/heads/both:refs/fetched/it", "both"},
		{"v1", "", "+refs/tags/v1:refs/fetched/it", ""},
		{"abcdef1", "", "+refs/heads/*:refs/fetched/heads/*", ""},
		{"abcdef", "", "", ""},
		{"none", "", "", ""},
	} {
		refspecs, f, err := choose(&syncCall{ref: c.ref}, c.configured, found, "main")
		if (err == nil) != (c.refspec != "") || err == nil && (refspecs[0] != c.refspec || f.branch != c.branch) {
			t.Errorf("%+v: got %q, %+v, %v", c, refspecs, f, err)
		}
	}
}
