package buildstep_test

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
)

func procfiles() map[string]map[string]string {
	return map[string]map[string]string{
		"":                                       {},
		"web: ./server\n":                        {"web": "./server"},
		"web: ./server":                          {"web": "./server"},
		"web: a\r\nworker: b\r\n":                {"web": "a", "worker": "b"},
		"\ufeffweb: a\n":                         {"web": "a"},
		"# web: x\n\n  # y\nweb: a # not ours\n": {"web": "a # not ours"},
		"  web :  node server.js --port=$PORT  \n": {"web": "node server.js --port=$PORT"},
		"web: echo a:b: c\n":                       {"web": "echo a:b: c"},
		"web: a\nweb: b\n":                         {"web": "b"},
		"night_job-2: x\nWEB: y\n":                 {"night_job-2": "x", "WEB": "y"},
		"web:a\n":                                  {"web": "a"},
		"web: é \xff\n":                            {"web": "é \xff"},
		strings.Repeat("w", 63) + ": a":            {strings.Repeat("w", 63): "a"},
		"web: " + strings.Repeat("a", 100_000):     {"web": strings.Repeat("a", 100_000)},
	}
}

func TestParseProcfile(t *testing.T) {
	t.Parallel()
	for text, want := range procfiles() {
		if got, err := buildstep.ParseProcfile(text); err != nil || !maps.Equal(got, want) {
			t.Errorf("%.200q: got %.200q, %v, want %.200q", text, got, err, want)
		}
	}
	for text, line := range map[string]string{"web\n": "line 1 ", "web: a\n\n# x\nworker b\n": "line 4 ", ": a": "line 1 ", "web:\n": "line 1 ", "web: \n": "line 1 ",
		"we b: a": "line 1 ", "../web: a": "line 1 ", strings.Repeat("w", 64) + ": a": "line 1 ", "web: a\nwéb: b": "line 2 ", "web: a\x00b": "line 1 "} {
		if got, err := buildstep.ParseProcfile(text); err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("%.200q: got %q, %v, want an error that names %s", text, got, err, line)
		}
	}
}

// FuzzParseProcfile reads any text; what it reads can be run, and written and read to the same.
func FuzzParseProcfile(f *testing.F) {
	for text := range procfiles() {
		if len(text) < 1000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		types, err := buildstep.ParseProcfile(text)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, kind := range slices.Sorted(maps.Keys(types)) {
			command := types[kind]
			if !scale.ValidType(kind) || command == "" || strings.ContainsAny(command, "\n\x00") {
				t.Errorf("of %q: got %q: %q", text, kind, command)
			}
			again.WriteString(kind + ": " + command + "\n")
		}
		if got, err := buildstep.ParseProcfile(again.String()); err != nil || !maps.Equal(got, types) {
			t.Errorf("of %q: got %q, %v, want %q", text, got, err, types)
		}
	})
}

// TestMainWords runs the container's programs with words that are wrong, and outside of a container.
func TestMainWords(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/app/Procfile"); err == nil {
		t.Fatal("this is a machine with a Procfile in /app: the test would start it")
	}
	for _, c := range []struct {
		words string
		code  int
		want  string
	}{
		{"", 2, "cannot run nothing: want builder, detect, start, exec or static"},
		{"nonsense", 2, `cannot run "nonsense": want builder, detect, start, exec or static`},
		{"--help", 2, `cannot run "--help": want builder, detect, start, exec or static`},
		{"start", 2, "cannot start: give one process type"},
		{"start web worker", 2, "cannot start: give one process type"},
		{"exec", 2, "cannot execute nothing: give a command"},
		{"start web", 1, `cannot start "web": the app has no such process type, and no other`},
	} {
		var out, diag bytes.Buffer
		code := buildstep.Main(strings.Fields(c.words), &out, &diag)
		if code != c.code || out.Len() > 0 || diag.String() != " !     "+c.want+"\n" {
			t.Errorf("%q: got %d, %q, %q, want %d, %q", c.words, code, out.String(), diag.String(), c.code, c.want)
		}
	}
}
