package authkeys

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name in bytes: room for an address or a sentence, no more.
const maxName = 255

// CheckName refuses names that a shell or sshd could take for more than text.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("cannot use an empty key name")
	case len(name) > maxName:
		return fmt.Errorf("cannot use a key name of %d bytes: %d are allowed", len(name), maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("cannot use the key name %q: not valid UTF-8", name)
	case name != strings.TrimSpace(name):
		return fmt.Errorf("cannot use the key name %q: a space at its start or end", name)
	}
	for _, r := range name {
		if !nameRune(r) {
			return fmt.Errorf("cannot use the key name %q: %q is not allowed, only letters, digits, space and %s", name, r, namePunct)
		}
	}
	return nil
}

const namePunct = "._@+:=,/-#"

func nameRune(r rune) bool {
	return r == ' ' || strings.ContainsRune(namePunct, r) || unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
}

// CheckHome refuses a home directory whose path would have to be quoted in the forced command.
func CheckHome(home string) error {
	if !filepath.IsAbs(home) {
		return fmt.Errorf("cannot use the home directory %q: not an absolute path", home)
	}
	for _, r := range home {
		plain := r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r))
		if !plain && !strings.ContainsRune("._@+:=,/-", r) {
			return fmt.Errorf("cannot use the home directory %q: %q would have to be quoted", home, r)
		}
	}
	return nil
}

// CheckOptions refuses options that would not stay in their place in the line: blanks outside of quotes, an open quote,
// control characters, or a second forced command, for which sshd refuses the key.
func CheckOptions(options string) error {
	if strings.ContainsFunc(options, unicode.IsControl) {
		return fmt.Errorf("cannot use the key options %q: control character", options)
	}
	if strings.HasPrefix(options, ",") || strings.HasSuffix(options, ",") {
		return fmt.Errorf("cannot use the key options %q: empty option", options)
	}
	if head, rest := splitOptions(options + " x"); head != options || rest != "x" {
		return fmt.Errorf("cannot use the key options %q: a space outside of double quotes, or a quote without its end", options)
	}
	if strings.Contains(strings.ToLower(options), "command=") {
		return fmt.Errorf("cannot use the key options %q: the command is set by sshcommand", options)
	}
	return nil
}
