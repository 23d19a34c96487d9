package dokkucmd

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// rcTexts are settings files and whether it takes a shell to read them.
func rcTexts() map[string]bool {
	return map[string]bool{
		"":                                false,
		"# a comment\n\nexport A=1\n":     false,
		"A=1\nB='x y'\nC=\"z\"\n":         false,
		"export A=1 B='2 3'\n":            false,
		"\texport\tA=1\n":                 false,
		"export A=\n":                     false,
		"export \"A\"=1\n":                false,
		"A=a=b==\n":                       false,
		"export A=1\r\n":                  false,
		"export A=$HOME\n":                true,
		"export A=`id`\n":                 true,
		"A=1; B=2\n":                      true,
		"A=1 B=2\n":                       true,
		"'A=1'\n":                         true,
		"\"A\"=1\n":                       true,
		"A\"\"=1\n":                       true,
		"export A\n":                      true,
		"export -n A=1\n":                 true,
		"if true; then export A=1; fi\n":  true,
		"export A='x\ny'\n":               true,
		"export A=x\\ y\n":                true,
		"export A=~/x\n":                  true,
		"A=1 # comment\n":                 true,
		"A+=1\n":                          true,
		"A=1\vB=2\n":                      false,
		"A=\u00a0x\n":                     false,
		"A=x\ry\n":                        true,
		"export A-B=1\n":                  true,
		"unset DOKKU_TRACE\n":             true,
		"PATH=/nowhere:$PATH\nexport A=1": true,
	}
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	for text, shell := range rcTexts() {
		got, ok := assignments(text)
		if ok == shell {
			t.Errorf("%q: got %q, %v, want it read by a shell: %v", text, got, ok, shell)
		}
	}
	for text, want := range map[string][]string{
		"export A=1\nexport B='x y'\n":  {"A=1", "B=x y"},
		"export A=1 B=2\n#C=3\nD=\"4\"": {"A=1", "B=2", "D=4"},
		"export A=1\r\nB=2\r\n":         {"A=1", "B=2"},
	} {
		if got, ok := assignments(text); !ok || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", text, got, ok, want)
		}
	}
}

// sameAsBash compares what assignments reads with what bash makes of the same file.
func sameAsBash(t *testing.T, text string) {
	t.Helper()
	assigned, ok := assignments(text)
	if !ok || strings.Contains(text, "\r") {
		return
	}
	want := map[string]string{}
	for _, kv := range assigned {
		key, value, _ := strings.Cut(kv, "=")
		if special(key) {
			return
		}
		want[key] = value
	}
	file := filepath.Join(t.TempDir(), "rc")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env, err := source(file, []string{"PATH=" + os.Getenv("PATH")})
	if err != nil {
		t.Errorf("bash of %q: %v", text, err)
		return
	}
	got := map[string]string{}
	for _, kv := range env {
		if key, value, _ := strings.Cut(kv, "="); !special(key) {
			got[key] = value
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%q: got %q, and from bash %q", text, want, got)
	}
}

// special tells whether bash treats the variable as its own.
func special(key string) bool {
	switch key {
	case "PATH", "PWD", "OLDPWD", "SHLVL", "_", "UID", "EUID", "PPID", "SHELLOPTS", "IFS", "LINENO", "RANDOM", "SRANDOM", "SECONDS", "HISTCMD",
		"GROUPS", "FUNCNAME", "DIRSTACK", "EPOCHSECONDS", "EPOCHREALTIME", "COMP_WORDBREAKS", "POSIXLY_CORRECT", "LANG", "OPTIND":
		return true
	}
	return strings.HasPrefix(key, "BASH") || strings.HasPrefix(key, "LC_") || strings.HasPrefix(key, "LD_")
}

func TestAssignmentsAsBash(t *testing.T) {
	t.Parallel()
	for text := range rcTexts() {
		sameAsBash(t, text)
	}
}

// FuzzAssignments looks for a file that we read without a shell, and that bash reads otherwise.
func FuzzAssignments(f *testing.F) {
	for text := range rcTexts() {
		f.Add(text)
	}
	f.Fuzz(sameAsBash)
}

// TestReadRC reads both kinds of files, in order, and those that other users may not read.
func TestReadRC(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	base := []string{"PATH=" + os.Getenv("PATH"), "GONE=1"}
	if got, err := readRC(root, base); err != nil || !slices.Equal(got, base) {
		t.Errorf("no files: got %q, %v", got, err)
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("dokkurc", "export A=1\nexport B=1\n")
	write(".dokkurc/10-shell", "echo noise; B=\"$A$A\"\nC='two\nlines'\nunset GONE\nPATH=/nowhere\n")
	write(".dokkurc/20-plain", "D='x y'\n")
	got, err := readRC(root, base)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"A": "1", "B": "11", "C": "two\nlines", "D": "x y", "GONE": "", "PATH": "/nowhere", "_": "", "SHLVL": ""} {
		if v, ok := settings.Lookup(got, key); v != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", key, v, ok, want)
		}
	}
	for _, text := range []string{"if true\n", "exit 3\n"} {
		write(".dokkurc/30-broken", text)
		if _, err := readRC(root, base); err == nil || !strings.Contains(err.Error(), "30-broken") {
			t.Errorf("%q: got %v, want an error that names the file", text, err)
		}
	}
}

// TestEnvironment looks for every variable that plugins expect.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	env, err := environment([]string{"PATH=/usr/bin:/bin", "DOKKU_ROOT=" + root, "DOKKU_LIB_ROOT=/lib/dokku", "NAME=admin", "FINGERPRINT=SHA256:x", "OWN=1"})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"DOKKU_ROOT": root, "DOKKU_LIB_ROOT": "/lib/dokku", "DOKKU_LIB_HOST_ROOT": "/lib/dokku", "DOKKU_HOST_ROOT": root,
		"PLUGIN_PATH": "/lib/dokku/plugins", "PLUGIN_AVAILABLE_PATH": "/lib/dokku/plugins/available", "PLUGIN_ENABLED_PATH": "/lib/dokku/plugins/enabled",
		"PLUGIN_CORE_PATH": "/lib/dokku/core-plugins", "PLUGIN_CORE_AVAILABLE_PATH": "/lib/dokku/core-plugins/available",
		"PLUGIN_CORE_ENABLED_PATH": "/lib/dokku/core-plugins/enabled", "DOKKU_SYSTEM_USER": "dokku", "DOKKU_SYSTEM_GROUP": "dokku",
		"DOKKU_API_VERSION": "1", "DOKKU_NOT_IMPLEMENTED_EXIT": "10", "DOKKU_VALID_EXIT": "0", "DOKKU_DISTRO": "debian", "DOCKER_BIN": "docker",
		"DOKKU_PID": fmt.Sprint(os.Getpid()), "SSH_NAME": "admin", "NAME": "admin", "FINGERPRINT": "SHA256:x", "OWN": "1",
		"DOKKU_CONTAINER_LABEL": "dokku", "PATH": filepath.Dir(self) + ":/usr/bin:/bin",
	} {
		if got, ok := settings.Lookup(env, key); !ok || got != want {
			t.Errorf("%s: got %q, %v, want %q", key, got, ok, want)
		}
	}
	if got, _ := settings.Lookup(env, "DOKKU_GLOBAL_RUN_ARGS"); !strings.Contains(got, "--label=dokku ") {
		t.Errorf("DOKKU_GLOBAL_RUN_ARGS: got %q", got)
	}
	again, err := environment(env)
	if slices.Sort(env); err != nil || !slices.Equal(slices.Sorted(slices.Values(again)), env) {
		t.Errorf("the environment of a command that a hook starts: got %q, %v, want the same, %q", again, err, env)
	}
	if got, _ := settings.Lookup(userEnv(env, "someone"), "HOME"); got != root {
		t.Errorf("HOME: got %q, want %q", got, root)
	}
	sudo := userEnv(append(slices.Clone(env), "SUDO_USER=alice"), "someone")
	for key, want := range map[string]string{"SSH_USER": "alice", "USER": "someone", "LOGNAME": "someone"} {
		if got, _ := settings.Lookup(sudo, key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}

func TestPrependPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"": "/d:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "/d": "/d", "/d:/x": "/d:/x", "/x:/d": "/d:/x:/d", "/dd": "/d:/dd"} {
		if got, _ := settings.Lookup(prependPath([]string{"PATH=" + path}, "/d"), "PATH"); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}

// commandLines are words that come over ssh as one line.
func commandLines() [][]string {
	return [][]string{
		{}, {""}, {"config:set", "app", "A=x y"}, {"config:set", "app", "A=it's", "B=\"q\""}, {"a", "", "b"}, {"$HOME", "`id`", "$(id)", "~", "*"},
		{"a\nb", "a\tb", " "}, {"\\", "\\\\", "a\\"}, {"!", "#", "a#b", ";", "&&", "|", "<", ">"}, {"\xff\xfe", "é", "€"}, {"git-receive-pack", "'app'"},
		{"-", "--", "-rf", "="}, {strings.Repeat("x", 50_000)}, {"'", "''", "'\"'"}, {"\r", "\v"}, {"{a,b}", "[x]", "?"},
	}
}

// splitsBack quotes words and has our splitter, and a real shell, take them apart again.
func splitsBack(t *testing.T, words []string) {
	t.Helper()
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	line := strings.Join(quoted, " ")
	for _, text := range []string{line, shellquote.Join(words...)} {
		if got, err := shellquote.Split(text); err != nil || !slices.Equal(got, words) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, words)
		}
	}
	out, err := exec.Command("sh", "-c", `eval "set -- $1"; for w; do printf "%s\0" "$w"; done`, "sh", line).Output()
	if err != nil {
		t.Errorf("sh of %q: %v", line, err)
		return
	}
	var fromShell []string
	for word := range strings.SplitSeq(string(out), "\x00") {
		fromShell = append(fromShell, word)
	}
	if fromShell = fromShell[:len(fromShell)-1]; !slices.Equal(fromShell, words) {
		t.Errorf("sh of %q: got %q, want %q", line, fromShell, words)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, words := range commandLines() {
		splitsBack(t, words)
	}
}

// FuzzSplit takes lines apart that carry words over ssh.
func FuzzSplit(f *testing.F) {
	for _, words := range commandLines() {
		if text := strings.Join(words, "\x00"); len(text) < 1000 { // long ones only keep the fuzzer from others
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 10_000 {
			splitsBack(t, strings.Split(text, "\x00"))
		}
	})
}
