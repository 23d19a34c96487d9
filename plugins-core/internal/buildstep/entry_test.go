package buildstep_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
)

func entries() map[string]buildstep.Pack {
	sum := strings.Repeat("0a", 32)
	return map[string]buildstep.Pack{
		"nodejs":                                  {Name: "nodejs"},
		"my-pack_2":                               {Name: "my-pack_2"},
		"heroku/nodejs":                           {URL: "https://github.com/heroku/heroku-buildpack-nodejs.git"},
		"heroku-community/apt":                    {URL: "https://github.com/heroku/heroku-buildpack-apt.git"},
		"https://example.com/pack.git":            {URL: "https://example.com/pack.git"},
		"https://example.com/pack#feature/x-1.2":  {URL: "https://example.com/pack", Ref: "feature/x-1.2"},
		"https://user:pass@example.com:8443/p":    {URL: "https://user:pass@example.com:8443/p"},
		"git://10.0.0.1/pack.git#v1":              {URL: "git://10.0.0.1/pack.git", Ref: "v1"},
		"ssh://git@example.com/pack.git":          {URL: "ssh://git@example.com/pack.git"},
		"git@example.com:org/pack.git#abc":        {URL: "git@example.com:org/pack.git", Ref: "abc"},
		"http://example.com/pack.tgz":             {URL: "http://example.com/pack.tgz", Archive: true},
		"http://e.com/p.tar.gz#sha256:" + sum:     {URL: "http://e.com/p.tar.gz", Archive: true, SHA256: sum},
		"http://[::1]/pack.git":                   {URL: "http://[::1]/pack.git"},
		"./packs/own":                             {Path: "packs/own"},
		"git://example.com/pack.tgz":              {URL: "git://example.com/pack.tgz"},
		"https://example.com/pack.tgz?token=a%2f": {URL: "https://example.com/pack.tgz?token=a%2f", Archive: true},
	}
}

func TestParsePack(t *testing.T) {
	t.Parallel()
	for entry, want := range entries() {
		if got, err := buildstep.ParsePack(entry); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", entry, got, err, want)
		}
	}
	for _, entry := range []string{"", " ", "a b", "-x", "--upload-pack=x", "/etc", "../x", "./", "./../x", ".", "file:///srv/pack", "ext::sh -c x",
		"https://", "https://host", "https://host/", "https://-x/y", "https://h/p#", "https://h/p#-x", "https://h/p#a..b", "https://h/p#a b",
		"https://h/p#a~1", "http://h/p.tgz#sha1:aa", "http://h/p.tgz#v1", "http://h/p.tgz#sha256:00", "git@host", "git@-host:x", "git@host:-x",
		"ftp://host/pack.tgz", "javascript:alert(1)", "a/b/c", "a\x00b", "a\nb", "\u202ex", strings.Repeat("a", 3000), "NODE"} {
		if got, err := buildstep.ParsePack(entry); err == nil || strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%.100q: got %+v, %v", entry, got, err)
		}
	}
	p, err := buildstep.ParsePack("https://user:pass@example.com/p#v1")
	if got := p.Shown(); err != nil || got != "https://xxxxx@example.com/p#v1" {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzParsePacks reads any text. What it reads is written and read to the same, and no entry is an option or leads out.
func FuzzParsePacks(f *testing.F) {
	for entry := range entries() {
		f.Add("# list\r\n\n" + entry + "\n  nodejs\t\n")
	}
	f.Add("\ufeffgo\n-x\n")
	f.Fuzz(func(t *testing.T, text string) {
		packs, err := buildstep.ParsePacks(text)
		if err != nil {
			return
		}
		for _, p := range packs {
			again, err := buildstep.ParsePack(p.String())
			if err != nil || again != p {
				t.Errorf("%q: got %+v, %v, want %+v", p.String(), again, err, p)
			}
			for _, word := range []string{p.Name, p.Path, p.URL, p.Ref} {
				if strings.HasPrefix(word, "-") || strings.ContainsAny(word, " \n\x00") || strings.Contains(p.Path, "..") && strings.HasPrefix(p.Path, "..") {
					t.Errorf("%q: got %+v", text, p)
				}
			}
		}
	})
}

func releases() map[string]buildstep.Release {
	return map[string]buildstep.Release{
		"":                            {},
		"---\n":                       {},
		"--- {}\n":                    {},
		"addons:\n- redis\n":          {},
		"config_vars:\n":              {},
		"config_vars: {A: 1, B: yes}": {ConfigVars: map[string]string{"A": "1", "B": "yes"}},
		"config_vars: {A: 1.10, B: 0x10, C: ~, D: 'x y', E: \"a\\nb\", F: !!str 7}": {ConfigVars: map[string]string{"A": "1.10", "B": "0x10", "C": "", "D": "x y", "E": "a\nb", "F": "7"}},
		"x: &a 5\nconfig_vars: {A: *a}":                                             {ConfigVars: map[string]string{"A": "5"}},
		"default_process_types:\n  web: bin/web -p $PORT\n":                         {DefaultProcessTypes: map[string]string{"web": "bin/web -p $PORT"}},
		":addons: []\n:config_vars: {A: b}\n":                                       {},
	}
}

func TestParseRelease(t *testing.T) {
	t.Parallel()
	for text, want := range releases() {
		got, err := buildstep.ParseRelease([]byte(text))
		if err != nil || !maps.Equal(got.ConfigVars, want.ConfigVars) || !maps.Equal(got.DefaultProcessTypes, want.DefaultProcessTypes) {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"text", "- list", "config_vars: [a]", "config_vars: {A: [b]}", "config_vars: {'a b': c}", "a: b: c",
		"default_process_types: {'we b': x}", "default_process_types: {web: }", "default_process_types: {web: {a: b}}", "\x00"} {
		if got, err := buildstep.ParseRelease([]byte(text)); err == nil {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

// FuzzParseRelease reads any text; what it reads can be variables and process types.
func FuzzParseRelease(f *testing.F) {
	for text := range releases() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := buildstep.ParseRelease(text)
		if err != nil {
			return
		}
		for key, value := range r.ConfigVars {
			if strings.ContainsAny(key, "=;$ \n") || key == "" || strings.ContainsRune(value, 0) {
				t.Errorf("got %q=%q", key, value)
			}
		}
		for kind, line := range r.DefaultProcessTypes {
			if kind == "" || line == "" || strings.ContainsAny(kind, " /\n") {
				t.Errorf("got %q: %q", kind, line)
			}
		}
	})
}
