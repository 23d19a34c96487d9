package rootfs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/rootfs"
)

func lines(sources []rootfs.Source) []string {
	var out []string
	for _, s := range sources {
		out = append(out, s.Line())
	}
	return out
}

func lists() map[string][]string {
	return map[string][]string{
		"":                                    nil,
		"deb http://h/debian bookworm main\n": {"deb http://h/debian bookworm main"},
		"# deb http://h/debian x main\ndeb-src http://h/debian x main\n":      nil,
		"deb\thttp://h/debian  x\tmain  contrib # why\n":                      {"deb http://h/debian x main contrib"},
		"deb [arch=amd64 signed-by=/k/a.gpg] http://h/d x main":               {"deb [signed-by=/k/a.gpg] http://h/d x main"},
		"deb [ trusted=yes ] http://h/d x/":                                   {"deb [trusted=yes] http://h/d x/"},
		"deb [signed-by=/k/$(x) trusted=no] http://h/d x main":                {"deb http://h/d x main"},
		"deb [open http://h/d x main\ndebx http://h/d x main\ndeb http://h/d": nil,
	}
}

func stanzas() map[string][]string {
	return map[string][]string{
		"": nil,
		"Types: deb\nURIs: http://h/debian\nSuites: x x-updates\nComponents: main contrib\n": {"deb http://h/debian x main contrib", "deb http://h/debian x-updates main contrib"},
		"types: deb-src deb\n# a comment\nuris:\n http://a/debian\n http://b/debian\nsuites: x\ncomponents: main\nsigned-by: /k/a.gpg\n": {
			"deb [signed-by=/k/a.gpg] http://a/debian x main", "deb [signed-by=/k/a.gpg] http://b/debian x main"},
		"Types: deb-src\nURIs: http://h/debian\nSuites: x\n\n\nTypes: deb\nURIs: http://i/debian\nSuites: x\nEnabled: no\n": nil,
		"Types: deb\nURIs: http://h/d\nSuites: x\nSigned-By:\n -----BEGIN PGP\n .\n abc\nTrusted: yes":                      {"deb [trusted=yes] http://h/d x"},
		"Types: deb\nURIs: http://h/d\nSuites: x\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg":                {"deb http://h/d x"},
		" leading\nnonsense\nTypes: deb": nil,
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range lists() {
		if got := lines(rootfs.ParseList(text)); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for text, want := range stanzas() {
		if got := lines(rootfs.ParseStanzas(text)); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// FuzzParse reads any text; what it reads is read to the same from the line that it makes, and is one line.
func FuzzParse(f *testing.F) {
	for text := range lists() {
		f.Add(text)
	}
	for text := range stanzas() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range slices.Concat(rootfs.ParseList(text), rootfs.ParseStanzas(text)) {
			line := s.Line()
			if strings.Contains(line, "\n") {
				t.Errorf("of %q: got the lines %q", text, line)
			}
			if strings.ContainsAny(line, "#") || strings.HasPrefix(s.URI, "[") { // no address, and apt would say so
				continue
			}
			if again := rootfs.ParseList(line); len(again) != 1 || again[0] != s {
				t.Errorf("of %q: got %q, and of that %v", text, line, again)
			}
		}
	})
}

func TestHostSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sources.list.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	usual := lines(rootfs.HostSources(dir, "x"))
	if len(usual) != 3 || usual[0] != "deb http://deb.debian.org/debian x main" {
		t.Errorf("without sources: got %q", usual)
	}
	for name, text := range map[string]string{
		"sources.list":                     "deb http://m/debian x main\ndeb http://m/debian y main\ndeb http://vendor/apt x main\n",
		"sources.list.d/more.list":         "deb http://m/debian/ x-updates main\ndeb http://m/debian x main\n",
		"sources.list.d/security.sources":  "Types: deb\nURIs: http://m/debian-security\nSuites: x-security\nComponents: main\n",
		"sources.list.d/other.list.off":    "deb http://off/debian x main\n",
		"sources.list.d/vendor-xx.sources": "Types: deb\nURIs: http://vendor/debian\nSuites: xx\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"deb http://m/debian x main", "deb http://m/debian/ x-updates main", "deb http://m/debian-security x-security main"}
	if got := lines(rootfs.HostSources(dir, "x")); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := lines(rootfs.HostSources(dir, "z")); len(got) != 3 || !strings.Contains(got[0], "deb.debian.org") {
		t.Errorf("of a suite that the host has not: got %q", got)
	}
}
