package authkeys_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

// Three keys with their fingerprints, as ssh-keygen prints them.
const (
	annKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB6EVxu1vWqHgsJbMtBPvtUBZFoTGxBuQLXXGPvHPYGH"
	annFP  = "SHA256:FM98MygzaF1APaqwqPKHB9aaTRFS74I3LGBkoe6O2po"
	bobKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMm8JGSzJOg6bT1xXAxEfFmJb3Kfl2MbqgEYUYp1x4Yu"
	bobFP  = "SHA256:+g6C3FJd+/NYvLn+S5JUKx4iaHBS/q2frw+Zl1KpmcI"
	bobMD5 = "3d:66:bd:25:66:24:28:39:03:95:29:9a:5e:e1:eb:2e"

	lineOf2014 = `command="FINGERPRINT=` + bobMD5 + " NAME=bob `cat /home/dokku/.sshcommand` $SSH_ORIGINAL_COMMAND" +
		`",no-agent-forwarding,no-user-rc,no-X11-forwarding,no-port-forwarding ` + bobKey + ` bob@home`
	lineOf2020 = `command="FINGERPRINT=` + bobFP + ` NAME=\"bob b\" ` + "`cat /home/dokku/.sshcommand` $SSH_ORIGINAL_COMMAND" +
		`",no-agent-forwarding ` + bobKey
	foreign = "# by hand, NAME=bob\n\n \t\n" + annKey + " NAME=ann \r\n" +
		`command="/bin/false NAME=ann " ` + annKey + "\n" + `from="10.0.0.1,\"x\" ",no-pty ` + annKey + " two\n"
)

func entry(name string) authkeys.Entry {
	return authkeys.Entry{Name: name, Fingerprint: annFP, Options: "restrict,pty", Key: annKey + " ann@home"}
}

func format(t testing.TB, e authkeys.Entry) string {
	t.Helper()
	line, err := authkeys.Format(e, "/home/dokku")
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestFormat(t *testing.T) {
	t.Parallel()
	want := `command="FINGERPRINT=` + annFP + ` NAME=\"ann\" && export FINGERPRINT NAME && set -f && ` +
		"test -s /home/dokku/.sshcommand && exec `cat /home/dokku/.sshcommand` $SSH_ORIGINAL_COMMAND" + `",restrict,pty ` + annKey + " ann@home"
	if got := format(t, entry("ann")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line string
		want authkeys.Entry
		ok   bool
	}{
		{format(t, entry("ann")), entry("ann"), true},
		{" \t" + format(t, entry("ann o")) + "\r\n", entry("ann o"), true},
		{lineOf2014, authkeys.Entry{Name: "bob", Fingerprint: bobMD5, Key: bobKey + " bob@home",
			Options: "no-agent-forwarding,no-user-rc,no-X11-forwarding,no-port-forwarding"}, true},
		{strings.Replace(lineOf2014, "NAME=bob", "NAME=bob the builder", 1), authkeys.Entry{Name: "bob the builder",
			Fingerprint: bobMD5, Key: bobKey + " bob@home",
			Options: "no-agent-forwarding,no-user-rc,no-X11-forwarding,no-port-forwarding"}, true},
		{lineOf2020, authkeys.Entry{Name: "bob b", Fingerprint: bobFP, Key: bobKey, Options: "no-agent-forwarding"}, true},
		{`command="FINGERPRINT= NAME=\"x\" y" ` + bobKey, authkeys.Entry{Name: "x", Key: bobKey}, true},

		{"", authkeys.Entry{}, false},
		{annKey, authkeys.Entry{}, false},
		{"#" + lineOf2020, authkeys.Entry{}, false},
		{`command="/bin/false NAME=ann " ` + annKey, authkeys.Entry{}, false},
		{`no-pty,` + lineOf2020, authkeys.Entry{}, false},
		{`command="FINGERPRINT=x` + annKey, authkeys.Entry{}, false},
		{`command="FINGERPRINT=x NAME=\"ann" ` + annKey, authkeys.Entry{}, false},
		{`command="FINGERPRINT=x NAME=ann" ` + annKey, authkeys.Entry{}, false},
		{`command="FINGERPRINT=$(x) NAME=ann y" ` + annKey, authkeys.Entry{}, false},
		{`command="FINGERPRINT=x NAME=ann y"`, authkeys.Entry{}, false},
	}
	for _, test := range tests {
		got, ok := authkeys.ParseLine(test.line)
		if got != test.want || ok != test.ok {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v, %v", test.line, got, ok, test.want, test.ok)
		}
	}
}

func TestFileKeepsForeignLines(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "\n", foreign, strings.TrimSuffix(foreign, "\n"), "\x00\xff\r\n\r"} {
		if got := string(authkeys.Parse([]byte(data)).Bytes()); got != data {
			t.Errorf("got %q, want %q", got, data)
		}
	}
	f := authkeys.Parse([]byte(foreign + lineOf2014 + "\n" + lineOf2020))
	f.Append(format(t, entry("ann")))
	if got, want := string(f.Bytes()), foreign+lineOf2014+"\n"+lineOf2020+"\n"+format(t, entry("ann"))+"\n"; got != want {
		t.Errorf("after Append:\ngot  %q\nwant %q", got, want)
	}
	if n := f.Remove(func(authkeys.Entry) bool { return true }); n != 3 {
		t.Errorf("removed %d lines, want 3", n)
	}
	if got := string(f.Bytes()); got != foreign {
		t.Errorf("after Remove:\ngot  %q\nwant %q", got, foreign)
	}
}

func TestFileQueries(t *testing.T) {
	t.Parallel()
	ann, bob := key(t, annKey), key(t, bobKey)
	f := authkeys.Parse([]byte(foreign + lineOf2020 + "\n"))
	if !f.HasName("bob b") || f.HasName("bob") || f.HasName("ann") || f.HasName("") {
		t.Error("HasName is not about exactly the names of our lines")
	}
	if !f.HasKey(ann) || !f.HasKey(bob) {
		t.Error("HasKey misses a key, of ours or of a foreign line")
	}
	for _, text := range []string{"#" + annKey, "x y " + annKey, bobKey + " " + annKey, `command="` + annKey + `" ` + bobKey} {
		if authkeys.Parse([]byte(text)).HasKey(ann) {
			t.Errorf("HasKey finds a key in %q", text)
		}
	}
	for text, want := range map[string]bool{"": false, "\n \n#x\n": false, " x": true, foreign: true} {
		if got := authkeys.Parse([]byte(text)).HasKeys(); got != want {
			t.Errorf("HasKeys of %q: got %v, want %v", text, got, want)
		}
	}
}

func TestHasFingerprint(t *testing.T) {
	t.Parallel()
	old, ok := authkeys.ParseLine(lineOf2014)
	if !ok {
		t.Fatal("not an entry")
	}
	for fp, want := range map[string]bool{
		bobMD5: true, "MD5:" + bobMD5: true, "md5:" + strings.ToUpper(bobMD5): true, bobFP: true, bobFP + "=": true,
		annFP: false, "": false, "MD5:": false, "SHA256:": false, bobMD5[1:]: false, strings.TrimPrefix(bobFP, "SHA256:"): false,
	} {
		if got := old.HasFingerprint(fp); got != want {
			t.Errorf("%q: got %v, want %v", fp, got, want)
		}
	}
	if e := (authkeys.Entry{Fingerprint: "SHA256:x", Key: bobKey}); !e.HasFingerprint(bobMD5) || e.HasFingerprint(annFP) {
		t.Error("the MD5 fingerprint of the key itself is not found, or another one is")
	}
	claims := authkeys.Entry{Fingerprint: annFP, Key: bobKey}
	if !claims.HasFingerprint(annFP) || !claims.HasFingerprint(bobFP) {
		t.Error("a fingerprint counts both as the line claims it and as the key has it")
	}
}

// TestShells has the shells of real systems read the forced command, with every sign that a name may have.
func TestShells(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := authkeys.CheckHome(home); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(home, "app")
	text := "#!/bin/sh\nprintf '%s\\n' \"$NAME\" \"$FINGERPRINT\" \"$@\"\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".sshcommand"), []byte(script+" first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := "Zoë"
	for r := rune(0); r < 0x250; r++ {
		if n := name + string(r) + "x"; authkeys.CheckName(n) == nil {
			name = n
		}
	}
	e := entry(name[:200])
	line, err := authkeys.Format(e, home)
	if err != nil {
		t.Fatal(err)
	}
	_, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil || len(options) != 3 {
		t.Fatalf("options %q, %v", options, err)
	}
	value := strings.ReplaceAll(options[0][len(`command="`):len(options[0])-1], `\"`, `"`)
	for _, shell := range []string{"sh", "bash"} {
		cmd := exec.Command(shell, "-c", value)
		cmd.Dir = home
		cmd.Env = append(os.Environ(), "SSH_ORIGINAL_COMMAND=* $HOME 'a b'", "NAME=nobody")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", shell, err)
		}
		want := fmt.Sprintf("%s\n%s\nfirst\n*\n$HOME\n'a\nb'\n", e.Name, e.Fingerprint)
		if string(out) != want {
			t.Errorf("%s:\ngot  %q\nwant %q", shell, out, want)
		}
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		check     func(string) error
		good, bad []string
	}{
		{
			authkeys.CheckName,
			[]string{"a", "Ann O/Neil", "a.c", "-rf", "#1", "名前", "e\u0301", strings.Repeat("a", 255)},
			[]string{"", " a", "a ", "a\n", "a\tb", "a\x00b", "a\u200bb", "a\u00a0b", `a"b`, "a'b", "a`b", "a$b", `a\b`, "a;b", "a*b", "\xff",
				strings.Repeat("a", 256)},
		}, {
			authkeys.CheckHome,
			[]string{"/", "/home/dokku", "/srv/a.b_c-d@e+f"},
			[]string{"", "home", "/home/a b", "/home/$x", "/home/a`b", `/home/a"b`, "/home/ä", "/home/*", "/home/a\nb", "/home/~"},
		}, {
			authkeys.CheckOptions,
			[]string{"", "restrict,pty", `from="10.0.0.1,*.a b",no-pty`, `environment="A=\"b c\""`},
			[]string{"a b", "a\tb", `from="a`, `from="a\"`, "a\n", ",", "a,", ",a", `command="x"`, `COMMAND="x"`},
		},
	}
	for i, test := range tests {
		for _, s := range test.good {
			if err := test.check(s); err != nil {
				t.Errorf("check %d: %v", i, err)
			}
		}
		for _, s := range test.bad {
			if test.check(s) == nil {
				t.Errorf("check %d: %q passes", i, s)
			}
		}
	}
}
