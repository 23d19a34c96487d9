package authkeys_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

func key(t testing.TB, text string) authkeys.Key {
	t.Helper()
	k, err := authkeys.ParseKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		annKey:                   annKey,
		annKey + "\n":            annKey,
		annKey + " ann@home\r\n": annKey + " ann@home",
		"\ufeff# mine\r\n\r\n  " + annKey + " \n": annKey,
		annKey + "\r":                           annKey,
		strings.Replace(annKey, " ", "\t  ", 1): annKey,
		annKey + ` "it's #1" $(id) \" x`:        annKey + ` "it's #1" $(id) \" x`,
		annKey + " a\x00\x1b[31mb\xff\u0085c":   annKey + " a[31mbc",
	} {
		k, err := authkeys.ParseKey([]byte(text))
		if err != nil || k.String() != want || k.Fingerprint() != annFP {
			t.Errorf("%q: got %q, %v, want %q", text, k, err, want)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	const other = "; give its type, base64 and comment only"
	tests := []struct {
		name, text string
		is         error
		says       string
	}{
		{"empty", "", authkeys.ErrInvalidKey, "the input is empty"},
		{"only a comment", "# " + annKey + "\n", authkeys.ErrInvalidKey, "the input is empty"},
		{"word", "test_key", authkeys.ErrInvalidKey, "invalid ssh public key"},
		{"no key in the base64", "ssh-ed25519 AAAA", authkeys.ErrInvalidKey, "invalid ssh public key"},
		{"another type", strings.Replace(annKey, "ssh-ed25519", "ssh-rsa", 1), authkeys.ErrInvalidKey, "invalid ssh public key"},
		{"cut off", annKey[:60], authkeys.ErrInvalidKey, "invalid ssh public key"},
		{"wrapped", annKey[:40] + "\n" + annKey[40:], authkeys.ErrInvalidKey, "invalid ssh public key"},
		{"options", `no-pty,command="x y" ` + annKey, authkeys.ErrInvalidKey, "the key has options in front of it" + other},
		{"authority", "cert-authority " + annKey, authkeys.ErrInvalidKey, "the key has options in front of it" + other},
		{"two", annKey + "\n" + bobKey, authkeys.ErrManyKeys, "more than one ssh public key"},
		{"twice", annKey + "\r" + annKey, authkeys.ErrManyKeys, "more than one ssh public key"},
		{"key, then garbage", annKey + "\ngarbage\n", authkeys.ErrInvalidKey, "invalid ssh public key"},
		{"private", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", authkeys.ErrInvalidKey,
			"this is a private key; keep it secret and add the .pub file beside it"},
		{"other format", "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", authkeys.ErrInvalidKey,
			"this is a key of another format; convert it with ssh-keygen -i"},
		{"large", annKey + strings.Repeat(" ", authkeys.MaxKeyInput), authkeys.ErrInvalidKey, "the input is larger than any key"},
	}
	for _, test := range tests {
		k, err := authkeys.ParseKey([]byte(test.text))
		if !errors.Is(err, test.is) || err.Error() != test.says {
			t.Errorf("%s: got %v, %v, want %q", test.name, k, err, test.says)
		}
	}
}
