package checks

import (
	"fmt"
	"strings"
	"testing"
)

// show writes a list in one line: settings, then checks, then how many lines were ignored.
func (l *list) show() string {
	var parts []string
	for _, s := range []struct {
		name string
		n    *int
	}{{"WAIT", l.wait}, {"TIMEOUT", l.timeout}, {"ATTEMPTS", l.attempts}} {
		if s.n != nil {
			parts = append(parts, fmt.Sprintf("%s=%d", s.name, *s.n))
		}
	}
	for _, p := range l.checks {
		tls := ""
		if p.tls {
			tls = "tls:"
		}
		parts = append(parts, fmt.Sprintf("%s%s %s %q", tls, p.host, p.path, p.expected))
	}
	if len(l.ignored) > 0 {
		parts = append(parts, fmt.Sprintf("ignored %d", len(l.ignored)))
	}
	return strings.Join(parts, "; ")
}

func TestParseList(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "",
		"\n\n# /comment\n  # too\n":          "",
		"/":                                  ` / ""`,
		"/a b":                               ` /a "b"`,
		"/a b\n":                             ` /a "b"`,
		"/a b\r\n/c\r\n":                     ` /a "b";  /c ""`,
		"\ufeff/a":                           ` /a ""`,
		"  /a \t  b  c \t ":                  ` /a "b  c"`,
		"/a #b":                              ` /a "#b"`,
		"/a?b=c&d=%20#e x":                   ` /a?b=c&d=%20 "x"`,
		"/a\t$(function()":                   ` /a "$(function()"`,
		"//h/p x\n/q":                        `h /p "x";  /q ""`,
		"//h":                                `h / ""`,
		"http://h:81/p":                      `h:81 /p ""`,
		"https://h/p x":                      `tls:h /p "x"`,
		"http://[::1]:80/":                   `[::1]:80 / ""`,
		"WAIT=3\nTIMEOUT=4\nATTEMPTS=5":      "WAIT=3; TIMEOUT=4; ATTEMPTS=5",
		"WAIT=3 # /a\nWAIT = 0#b\r\n":        "WAIT=0",
		"wait=3\nWAITS=1\nfoo\nftp://h/\n/x": ` / ""; ignored 4`,
	} {
		if strings.HasSuffix(text, "/x") {
			want = ` /x ""; ignored 4`
		}
		l, err := parseList(text)
		if err != nil || l.show() != want {
			t.Errorf("%q: got %s, %v, want %s", text, l.show(), err, want)
		}
	}
}

func TestParseListFails(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/\nWAIT=x":          "line 2: cannot use WAIT=x: give a whole number from 0 to 86400",
		"WAIT=":              "line 1: cannot use WAIT=: give",
		"WAIT":               "line 1: cannot use WAIT=: give",
		"WAIT=-1":            "line 1: cannot use WAIT=-1: give",
		"WAIT=99999999":      "line 1: cannot use WAIT=99999999: give",
		"ATTEMPTS=0":         "line 1: cannot use ATTEMPTS=0: give a whole number from 1",
		"TIMEOUT=0":          "line 1: cannot use TIMEOUT=0: give a whole number from 1",
		"WAIT=$(date)":       "line 1: cannot use WAIT=$(date): give",
		"//":                 "it names no host",
		"//:80/x":            "it names no host",
		"http:x":             "it names no host",
		"https:///x":         "it names no host",
		"http://a:b@c/":      "it names no host",
		"//a,b/":             "it names no host",
		"http://h:port/":     "invalid port",
		"/%zz":               "invalid URL escape",
		"/a\x01b":            "invalid control character",
		"//h\x00/":           "invalid control character",
		"//[::1/":            "missing ']'",
		"\n\n//h b\n/ok\n//": "line 5: ",
	} {
		if l, err := parseList(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want %s", text, l, err, want)
		}
	}
}

// FuzzParseList: whatever is in the file, each check asks for a path and perhaps a host that are good in a request, and
// what is read does not depend on how lines end.
func FuzzParseList(f *testing.F) {
	for _, s := range []string{"/a b\nWAIT=1\n", "//h/p x", "https://h:1/?q#f", "ATTEMPTS=2 # c\r\n", "/%20\x00", "# c", "x=y", "\ufeff/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseList(text)
		if err != nil {
			return
		}
		for _, p := range l.checks {
			if !strings.HasPrefix(p.path, "/") && p.path != "*" || strings.ContainsAny(p.path+p.host, " \t\r\n\x00") {
				t.Errorf("%q: got host %q, path %q", text, p.host, p.path)
			}
		}
		again, err := parseList(strings.ReplaceAll(text, "\n", "\r\n") + "\r\n")
		if err != nil || again.show() != l.show() {
			t.Errorf("%q with ends of DOS: got %s, %v, want %s", text, again.show(), err, l.show())
		}
	})
}

func TestContains(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body, expected string
		want           bool
	}{
		{"", "", true},
		{"x", "", true},
		{"a $(function() b", "$(function()", true},
		{"a function b", "$(function()", false},
		{"one\ntwo\nthree", "^two$", true},
		{"a.b", "a.b", true},
		{"axb", "a.b", true},
		{"a\nb", "a.b", false},
		{"(", "(", true},
		{"", "(", false},
		{"version 12", "version [0-9]+", true},
		{"version [0-9]+", "version [0-9]+", true},
	} {
		if got := contains(c.body, c.expected); got != c.want {
			t.Errorf("%q in %q: got %v", c.expected, c.body, got)
		}
	}
}
