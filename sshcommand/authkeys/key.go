package authkeys

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"
)

// MaxKeyInput is how much text [ParseKey] looks at. The largest key that sshd takes needs less than a quarter of it.
const MaxKeyInput = 64 << 10

var (
	// ErrInvalidKey is about input that holds no public key which could be added. An error of ParseKey that wraps it
	// says what the input is instead.
	ErrInvalidKey = errors.New("invalid ssh public key")
	// ErrManyKeys is about input that holds more than one public key.
	ErrManyKeys = errors.New("more than one ssh public key")
)

// notAKey tells what was found instead of a key.
type notAKey struct{ found string }

func (e *notAKey) Error() string { return e.found }
func (e *notAKey) Unwrap() error { return ErrInvalidKey }

// Key is one public key.
type Key struct {
	pub     ssh.PublicKey
	base64  string
	comment string
}

// ParseKey reads the one public key in data, the content of a .pub file. Line ends may be those of any system, blank
// lines and comment lines are skipped. A key with options in front of it is refused: they would have a say in what the
// key may do. So is a second key, which would end up on a line of its own without any restriction.
func ParseKey(data []byte) (Key, error) {
	if len(data) > MaxKeyInput {
		return Key{}, &notAKey{"the input is larger than any key"}
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	var keys []Key
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, err := parseKeyLine(line)
		if err != nil {
			return Key{}, err
		}
		keys = append(keys, k)
	}
	switch len(keys) {
	case 0:
		return Key{}, &notAKey{"the input is empty"}
	case 1:
		return keys[0], nil
	}
	return Key{}, ErrManyKeys
}

func parseKeyLine(line string) (Key, error) {
	if strings.HasPrefix(line, "---") {
		return Key{}, describePEM(line)
	}
	typ, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	blob, comment, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	raw, err := base64.StdEncoding.DecodeString(blob)
	if err != nil {
		return Key{}, describeOptions(line)
	}
	pub, err := ssh.ParsePublicKey(raw)
	if err != nil || pub.Type() != typ {
		return Key{}, describeOptions(line)
	}
	if _, ok := pub.(*ssh.Certificate); ok {
		return Key{}, &notAKey{"this is a certificate; add the key that it was made for"}
	}
	comment = strings.TrimSpace(strings.Map(printable, comment))
	return Key{pub: pub, base64: base64.StdEncoding.EncodeToString(raw), comment: comment}, nil
}

func printable(r rune) rune {
	if unicode.IsControl(r) || r == unicode.ReplacementChar {
		return -1
	}
	return r
}

func describePEM(line string) error {
	switch {
	case strings.Contains(line, "PRIVATE KEY"):
		return &notAKey{"this is a private key; keep it secret and add the .pub file beside it"}
	case strings.Contains(line, "PUBLIC KEY"):
		return &notAKey{"this is a key of another format; convert it with ssh-keygen -i"}
	}
	return ErrInvalidKey
}

func describeOptions(line string) error {
	_, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err == nil && len(options) > 0 {
		return &notAKey{"the key has options in front of it; give its type, base64 and comment only"}
	}
	return ErrInvalidKey
}

// String returns type, base64 and comment, as in a .pub file without its line end.
func (k Key) String() string {
	return strings.TrimRight(k.pub.Type()+" "+k.base64+" "+k.comment, " ")
}

// Fingerprint returns SHA256: and the hash, as ssh-keygen -l prints it.
func (k Key) Fingerprint() string { return ssh.FingerprintSHA256(k.pub) }

// HasFingerprint reports whether the key of e has the fingerprint fp, in any form that ssh-keygen has printed over the
// years: SHA256:base64, MD5:pairs, or bare pairs. What the line claims counts as well as what its key hashes to.
func (e Entry) HasFingerprint(fp string) bool {
	fp = normalFingerprint(fp)
	if fp == "" {
		return false
	}
	if normalFingerprint(e.Fingerprint) == fp {
		return true
	}
	typ, rest, _ := strings.Cut(e.Key, " ")
	blob, _, _ := strings.Cut(rest, " ")
	raw, err := base64.StdEncoding.DecodeString(blob)
	if err != nil || typ == "" {
		return false
	}
	return hashes(raw, fp)
}

// keyField returns the base64 field of a line of an authorized_keys file, "" for a comment.
func keyField(line string) string {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return ""
	}
	typ, rest := splitOptions(line)
	if !isKeyType(typ) {
		typ, rest = splitOptions(rest)
		if !isKeyType(typ) {
			return ""
		}
	}
	blob, _ := splitOptions(rest)
	return blob
}
