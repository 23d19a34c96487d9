package sshcmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestParseDefaults(t *testing.T) {
	t.Parallel()
	const text = `# comment
SSHCOMMAND_ALLOWED_KEYS="restrict,pty"

export A='a b $HOME'   # the rest
  B=c\ d
C=
D="$HOME"
E=` + "`id`" + `
. /etc/other
F = g
G=1 H=2
I="open
1J=x
K=$(id) # '
`
	values, bad := parseDefaults([]byte(text))
	want := map[string]string{"SSHCOMMAND_ALLOWED_KEYS": "restrict,pty", "A": "a b $HOME", "B": "c d", "C": ""}
	if fmt.Sprint(values) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", values, want)
	}
	if want := []int{7, 8, 9, 10, 11, 12, 13, 14}; !slices.Equal(bad, want) {
		t.Errorf("bad lines %v, want %v", bad, want)
	}
}

func TestLoadSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	files := []string{
		filepath.Join(dir, "missing"),
		write("one", "SSHCOMMAND_ALLOWED_KEYS=one\nSSHCOMMAND_CHECK_DUPLICATE_NAME=false\n"),
		write("two", "SSHCOMMAND_ALLOWED_KEYS=two\nwhat is this\n"),
	}
	env := map[string]string{"SSHCOMMAND_CHECK_DUPLICATE_NAME": "true", "HOME_DIR": "/srv", "SSHCOMMAND_IGNORE_LIST_WARNINGS": "1"}
	var warnings []string
	got := loadSettings(func(key string) string { return env[key] }, files, func(format string, args ...any) {
		warnings = append(warnings, fmt.Sprintf(format, args...))
	})
	want := settings{allowedKeys: "two", checkDuplicateKey: true, homeDir: "/srv", ignoreListWarnings: true, osRelease: "/etc/os-release"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if want := []string{files[2] + ":2: not a plain assignment, ignored"}; !slices.Equal(warnings, want) {
		t.Errorf("warnings %q, want %q", warnings, want)
	}

	for text, want := range map[string]string{"ID=debian\n": "debian", "NAME=\"x\"\nID=\"amzn\"\n": "amzn", "": "", "ID": ""} {
		if got := (settings{osRelease: write("os-release", text)}).osID(); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// FuzzParseDefaults: any text is read, and a value that was read can be written again so that it is read the same.
func FuzzParseDefaults(f *testing.F) {
	f.Add("A=b\nexport C='d e' # x\n")
	f.Add("A=\"\\\"\"\n\x00=1\n'\n$(id)")
	f.Fuzz(func(t *testing.T, text string) {
		values, bad := parseDefaults([]byte(text))
		for _, line := range bad {
			if line < 1 {
				t.Fatalf("line %d", line)
			}
		}
		for key, value := range values {
			again, _ := parseDefaults([]byte(key + "='" + escapeSingle(value) + "'\n"))
			if got, ok := again[key]; !ok || got != value {
				t.Fatalf("%s=%q read again: %q, %v", key, value, got, ok)
			}
		}
	})
}

// escapeSingle is for text between single quotes.
func escapeSingle(s string) string {
	var out []byte
	for i := range len(s) {
		if s[i] == '\'' {
			out = append(out, `'\'`...)
		}
		out = append(out, s[i])
	}
	return string(out)
}
