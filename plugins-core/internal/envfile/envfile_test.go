package envfile_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
)

// values returns n values of everything that has ever been lost on the way through a shell.
func values(n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{" ", "  ", "\t", "\n", "\r", "\r\n", "$", "$HOME", "${HOME}", "$(id)", "`id`", "\\", "\\\\", "\\n", "!", "!!", "#", " # ",
		"=", "==", "'", "''", `'\''`, "\"", "\\\"", "\\'", "~", "*", "?", "[a]", "{a,b}", ";", "&", "|", "<", ">", "(", ")", "%s", "%", "\x01", "\x1b[0m",
		"\x7f", "\xff", "\xc3", "\xe2\x82", "é", "€", "𝄞", "\u2028", "\ufeff", "a", "A", "0", "export B=c", "EOF", "-n", "--", "/"}
	out := []string{"", " ", "\n", "'", "\\", strings.Repeat("x", 64<<10), strings.Repeat("\n", 64<<10), strings.Repeat("'", 16<<10), strings.Repeat("\\", 64<<10)}
	for len(out) < n {
		var b strings.Builder
		for range r.IntN(12) {
			if r.IntN(8) == 0 {
				b.WriteByte(byte(1 + r.IntN(255)))
			} else {
				b.WriteString(pieces[r.IntN(len(pieces))])
			}
		}
		out = append(out, b.String())
	}
	return out
}

// TestRoundTrip writes 10,000 values, some hundreds to a file, and has our reader, bash and sh read them.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	const perFile = 500
	all := values(10_000)
	for start := 0; start < len(all); start += perFile {
		vars := envfile.Vars{}
		for i, value := range all[start : start+perFile] {
			vars[fmt.Sprintf("V_%d", start+i)] = value
		}
		path := filepath.Join(t.TempDir(), "ENV")
		if err := envfile.Write(path, vars); err != nil {
			t.Fatal(err)
		}
		got, err := envfile.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "our reader", got, vars)
		for _, shell := range []string{"bash", "sh"} {
			compare(t, shell, source(t, shell, path), vars)
		}
	}
}

func compare(t *testing.T, who string, got, want envfile.Vars) {
	t.Helper()
	for key, value := range want {
		if g, ok := got[key]; !ok || g != value {
			t.Errorf("%s: %s: got %.200q (%v), want %.200q", who, key, g, ok, value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: got %d variables, want %d", who, len(got), len(want))
	}
}

// source has a shell read the file and returns the variables that it then has.
func source(t *testing.T, shell, path string) envfile.Vars {
	t.Helper()
	cmd := exec.Command(shell, "-c", `. "$1"; exec env -0`, shell, path)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", shell, err)
	}
	vars := envfile.Vars{}
	for kv := range bytes.SplitSeq(bytes.TrimRight(out, "\x00"), []byte{0}) {
		key, value, _ := strings.Cut(string(kv), "=")
		if !slices.Contains([]string{"PATH", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"}, key) {
			vars[key] = value
		}
	}
	return vars
}

// lines are texts that people and other programs have written, and what a shell makes of them.
func lines() map[string]envfile.Vars {
	return map[string]envfile.Vars{
		"":                              {},
		"\n\n \t\n":                     {},
		"export A=1\n":                  {"A": "1"},
		"export A=1":                    {"A": "1"},
		"export A=\n":                   {"A": ""},
		"A=1\nB=2\n":                    {"A": "1", "B": "2"},
		"export A=1 B=2\n":              {"A": "1", "B": "2"},
		"export A=http://u:p@h/p?a=b\n": {"A": "http://u:p@h/p?a=b"},
		"export A=a=b==\n":              {"A": "a=b=="},
		"export A=1\nexport A=2\n":      {"A": "2"},
		"# export A=1\n  # more 'text\nexport B=2": {"B": "2"},
		"export A=1 # don't\nexport B=2\n":         {"A": "1", "B": "2"},
		"export A=a#b\n":                           {"A": "a#b"},
		"export A='a b' B=\"c d\"\n":               {"A": "a b", "B": "c d"},
		"export A=\"a\nb\"\nexport B='c\n\nd'\n":   {"A": "a\nb", "B": "c\n\nd"},
		"export A='#'\nexport B=2\n":               {"A": "#", "B": "2"},
		`export A="a\"b\\c\n"`:                     {"A": `a"b\c\n`},
		"export A=a\\ b\n":                         {"A": "a b"},
		"export A=a\\\nb\n":                        {"A": "ab"},
		"export A=\"a\\\nb\"\n":                    {"A": "ab"},
		"export A=a\\":                             {"A": "a\\"},
		`export A='it'\''s'`:                       {"A": "it's"},
		"export A='\xff\xfe'\n":                    {"A": "\xff\xfe"},
		"export A=1\r\n":                           {"A": "1\r"},
		"\texport\tA=1\n":                          {"A": "1"},
		"export A='a'b\"c\"d\n":                    {"A": "abcd"},
		"export a=1 _b=2 C3=3\n":                   {"a": "1", "_b": "2", "C3": "3"},
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range lines() {
		got, err := envfile.Parse(text)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("Parse(%q): got %q, %v, want %q", text, got, err, want)
		}
		path := filepath.Join(t.TempDir(), "ENV")
		if err := os.WriteFile(path, []byte("set -a\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, shell := range []string{"bash", "sh"} {
			if got := source(t, shell, path); !maps.Equal(got, want) {
				t.Errorf("%s of %q: got %q, want %q", shell, text, got, want)
			}
		}
	}
	// What a shell complains of and goes on is passed over.
	for text, want := range map[string]envfile.Vars{
		"export 1A=1 A-B=2 =3 C=4\n": {"C": "4"},
		"not a variable\n":           {},
	} {
		if got, err := envfile.Parse(text); err != nil || !maps.Equal(got, want) {
			t.Errorf("Parse(%q): got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"export A='":                       "line 1: a quote is not closed",
		"export A=1\nexport B=\"x\n\n":     "line 2: a quote is not closed",
		"export A=1\n\nexport B='x\"":      "line 3: a quote is not closed",
		"export A=1\nexport B=x\x00y\n":    "line 2: it has a NUL byte, which no environment can hold",
		"export A='x\ny'\nexport B=\"\\\"": "line 3: a quote is not closed",
	} {
		if got, err := envfile.Parse(text); err == nil || err.Error() != want {
			t.Errorf("Parse(%q): got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if vars, err := envfile.Read(filepath.Join(dir, "none")); err != nil || vars == nil || len(vars) != 0 {
		t.Errorf("no file: got %v, %v, want no variables", vars, err)
	}
	if _, err := envfile.Read(dir); err == nil {
		t.Error("a directory: got no error")
	}
	path := filepath.Join(dir, "ENV")
	if err := os.WriteFile(path, []byte("export A='"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := envfile.Read(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a broken file: got %v, want an error that names the file and the line", err)
	}
	if err := envfile.Write(path, envfile.Vars{"SECRET": "x"}); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", st.Mode(), err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{"A": true, "_": true, "a1": true, "A_B": true, "": false, "1": false, "1A": false, "A-B": false,
		"A B": false, "A=": false, "É": false, "A\n": false, "A\x00": false, "-": false, "$A": false} {
		if got := envfile.ValidKey(key); got != want {
			t.Errorf("ValidKey(%q): got %v, want %v", key, got, want)
		}
	}
	if err := envfile.CheckValue("A", "x\x00y"); err == nil {
		t.Error("a NUL byte: got no error")
	}
	if err := envfile.CheckValue("A", "\xff\n"+strings.Repeat("x", 95<<10)); err != nil {
		t.Errorf("a value that is no UTF-8: %v", err)
	}
	if err := envfile.CheckValue("A", "\xff\n"+strings.Repeat("x", 96<<10)); err == nil {
		t.Error("one that is too long for a container is taken")
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	first, second := envfile.Vars{"A": "1", "B": "2"}, envfile.Vars{"B": "3"}
	if got, want := envfile.Merge(first, second).List(), []string{"A=1", "B=3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if first["B"] != "2" {
		t.Error("Merge changed its argument")
	}
}

// FuzzParse reads any text; what it reads can be written and is read again to the same.
func FuzzParse(f *testing.F) {
	for text := range lines() {
		f.Add(text)
	}
	for _, value := range values(100)[9:] {
		f.Add("export A=" + value + "\nexport B=" + envfile.Quote(value))
	}
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := envfile.Parse(text)
		if err != nil {
			return
		}
		again, err := envfile.Parse(envfile.Format(vars))
		if err != nil || !maps.Equal(vars, again) {
			t.Errorf("of %q: got %q, %v, want %q", text, again, err, vars)
		}
	})
}

// FuzzFormat writes any value, and our reader and bash read it.
func FuzzFormat(f *testing.F) {
	for _, value := range values(100)[9:] {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if envfile.CheckValue("A", value) != nil {
			return
		}
		want := envfile.Vars{"A": value, "B": "behind"}
		text := envfile.Format(want)
		if got, err := envfile.Parse(text); err != nil || !maps.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		path := filepath.Join(t.TempDir(), "ENV")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := source(t, "bash", path); len(value) < 64<<10 && !maps.Equal(got, want) {
			t.Errorf("bash: got %q, want %q", got, want)
		}
	})
}
