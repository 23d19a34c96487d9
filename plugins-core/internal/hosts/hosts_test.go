package hosts_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
)

func TestDefault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ app, vhost, want string }{
		{"foo", "example.com", "foo.example.com"},
		{"foo", "localhost", "foo.localhost"},
		{"www.other.com", "example.com", "www.other.com"},
		{"foo.example.com", "example.com", "foo.example.com"},
		{"example.com", "example.com", "example.com"},
		{"foo", "192.0.2.1", ""},
		{"foo", "2001:db8::1", ""},
		{"www.other.com", "192.0.2.1", ""},
	} {
		if got := hosts.Default(c.app, c.vhost); got != c.want {
			t.Errorf("%s under %s: got %q, want %q", c.app, c.vhost, got, c.want)
		}
	}
}

var hostPattern = sync.OnceValue(func() *regexp.Regexp {
	label := `[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?`
	return regexp.MustCompile(`^(\*\.)?` + label + `(\.` + label + `)*$`)
})

// hostRule is the rule of [hosts.Valid] written another way.
func hostRule(s string) bool {
	return len(strings.TrimPrefix(s, "*.")) <= 253 && hostPattern().MatchString(s)
}

// words are strings that somebody may give as a host name, most of them with something in it that means something to
// nginx, to a shell or to a file system.
func words() []string {
	out := []string{
		"a;}", "a{", "a\n", "$host", "~^.*", "a b", "http://x/", "_", "*.x.test", "x..y", "bücher.test", "xn--bcher-kva.test", "\"", "include /etc/*",
		"", ".", "..", "*", "*.", "**.x", "*.*.x", "a.*.b", "a.*", "*a.test", "a*.test", "x.test.", ".x.test", "-x.test", "x-.test", "x.-y", "X.Test",
		"127.0.0.1", "::1", "[::1]", "x:80", "x/y", "../x", "x\x00y", "x\r", "x\t", " x", "x ", "'x'", "`id`", "$(id)", "a}", "a#b", "a\\b",
		strings.Repeat("a", 63) + ".test", strings.Repeat("a", 64) + ".test",
		strings.Repeat("a.", 126) + "a", strings.Repeat("a.", 126) + "aa", "*." + strings.Repeat("a.", 126) + "a", strings.Repeat("a", 254),
	}
	for _, c := range []string{";", "{", "}", "$", "~", "\n", "\"", "'", "#", "\\", " ", "\t", "*", "_", "/", ":", "@", "=", "(", ")", "|", "&", "%", "\x00", "\x7f", "é", "\xff", "A", "9", "-", "."} {
		for _, frame := range []string{"%s", "a%s.test", "%sa.test", "a.%s.test"} {
			out = append(out, fmt.Sprintf(frame, c))
		}
	}
	return out
}

func TestValid(t *testing.T) {
	t.Parallel()
	all := words()
	if len(all) < 150 {
		t.Fatalf("got %d strings, want at least 150", len(all))
	}
	for _, s := range all {
		checkHost(t, s)
	}
}

func checkHost(t *testing.T, s string) {
	t.Helper()
	got := hosts.Valid(s)
	if want := hostRule(s); got != want {
		t.Errorf("Valid(%q): got %v, want %v", s, got, want)
	}
	if got && (strings.ContainsAny(s, ";{}$~\"'#\\ \t\r\n()|&%/:_\x00") || strings.LastIndexByte(s, '*') > 0) {
		t.Errorf("Valid(%q): accepted, and means more to nginx than a name", s)
	}
}

// FuzzValid looks for a string that is taken for a host name and has something in it that nginx would read.
func FuzzValid(f *testing.F) {
	for _, s := range words() {
		f.Add(s)
	}
	f.Fuzz(checkHost)
}
