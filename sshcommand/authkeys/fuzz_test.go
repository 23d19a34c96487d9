package authkeys_test

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/crypto/ssh"

	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

// FuzzParse: any text comes back byte for byte, and edits leave alone what is not ours.
func FuzzParse(f *testing.F) {
	f.Add([]byte(foreign))
	f.Add([]byte(lineOf2014 + "\n" + foreign + lineOf2020))
	f.Add([]byte(`command="FINGERPRINT=\" NAME=\"\" "` + "\r\r\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := authkeys.Parse(data)
		if got := string(file.Bytes()); got != string(data) {
			t.Fatalf("got %q, want %q", got, data)
		}
		var rest strings.Builder
		ours := 0
		for line := range strings.SplitAfterSeq(string(data), "\n") {
			if _, ok := authkeys.ParseLine(line); ok {
				ours++
			} else {
				rest.WriteString(line)
			}
		}
		if n := len(file.Entries()); n != ours {
			t.Fatalf("%d entries, want %d", n, ours)
		}
		file.HasName("bob")
		file.HasKeys()
		file.HasKey(key(t, bobKey))
		for _, e := range file.Entries() {
			e.HasFingerprint(bobFP)
			e.HasFingerprint(bobMD5)
		}
		if n := file.Remove(func(authkeys.Entry) bool { return true }); n != ours {
			t.Fatalf("removed %d, want %d", n, ours)
		}
		if got := string(file.Bytes()); got != rest.String() {
			t.Fatalf("after Remove: got %q, want %q", got, rest.String())
		}
		file.Append("line")
		want := rest.String()
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if got := string(file.Bytes()); got != want+"line\n" {
			t.Fatalf("after Append: got %q, want %q", got, want+"line\n")
		}
	})
}

// FuzzFormat: what passes the checks is one line, from which both we and a parser of other people read what went in.
func FuzzFormat(f *testing.F) {
	f.Add("ann", "restrict,pty", "/home/dokku", "comment")
	f.Add("Ann O/Neil #1", `from="a b,\"c\""`, "/srv/x", `" \" # '`)
	f.Fuzz(func(t *testing.T, name, options, home, comment string) {
		k, err := authkeys.ParseKey([]byte(annKey + " " + comment))
		if err != nil {
			return
		}
		e := authkeys.Entry{Name: name, Fingerprint: k.Fingerprint(), Options: options, Key: k.String()}
		line, err := authkeys.Format(e, home)
		if err != nil {
			return
		}
		if strings.ContainsFunc(line, unicode.IsControl) {
			t.Fatalf("control character in %q", line)
		}
		if got, ok := authkeys.ParseLine(line); !ok || got != e {
			t.Fatalf("%q:\ngot  %+v, %v\nwant %+v", line, got, ok, e)
		}
		pub, _, got, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil || ssh.FingerprintSHA256(pub) != annFP {
			t.Fatalf("%q: %v", line, err)
		}
		if !strings.HasPrefix(got[0], `command="FINGERPRINT=`+annFP+` NAME=\"`+name+`\" && `) {
			t.Fatalf("%q: first option %q", line, got[0])
		}
	})
}

// FuzzParseKey: no input is taken for a key that would not be the same key, alone and without options, when read again.
func FuzzParseKey(f *testing.F) {
	f.Add([]byte(annKey + " ann\r\n"))
	f.Add([]byte("\ufeff#\n" + `no-pty,command="x" ` + bobKey))
	f.Add([]byte("-----BEGIN OPENSSH PRIVATE KEY-----"))
	f.Add([]byte(annKey + "\n" + bobKey))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := authkeys.ParseKey(data)
		if err != nil {
			return
		}
		text := k.String()
		if strings.ContainsFunc(text, unicode.IsControl) {
			t.Fatalf("control character in %q", text)
		}
		again, err := authkeys.ParseKey([]byte(text))
		if err != nil || again.String() != text || again.Fingerprint() != k.Fingerprint() {
			t.Fatalf("%q read again: %q, %v", text, again, err)
		}
		_, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil || len(options) != 0 || len(rest) != 0 {
			t.Fatalf("%q: options %q, rest %q, %v", text, options, rest, err)
		}
		if !authkeys.Parse([]byte("no-pty " + text + "\n")).HasKey(k) {
			t.Fatalf("%q does not have its own key", text)
		}
	})
}
