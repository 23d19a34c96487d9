// Package envfile reads and writes ENV files: shell files of `export KEY='value'` lines that a shell and this package
// read to the same bytes. The unquoted lines that dokku wrote in 2014 are read too.
package envfile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// Vars are variables by name.
type Vars map[string]string

// ValidKey tells whether key is a letter or underscore followed by letters, digits and underscores.
func ValidKey(key string) bool {
	for i, r := range key {
		switch {
		case r == '_', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
		case i > 0 && r >= '0' && r <= '9':
		default:
			return false
		}
	}
	return key != ""
}

// CheckValue refuses what no environment can hold.
func CheckValue(key, value string) error {
	if strings.ContainsRune(value, 0) {
		return fmt.Errorf("cannot set %q: the value has a NUL byte, which no environment can hold", key)
	}
	return nil
}

// Parse reads the text of an ENV file. A name that is no valid key is passed over, as a shell would.
func Parse(text string) (Vars, error) {
	vars := Vars{}
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); i++ {
		line, start := lines[i], i
		if t := strings.TrimSpace(line); t == "" || t[0] == '#' {
			continue
		}
		words, err := shellquote.Split(line)
		// A value may go over several lines: take more of them until its quote is closed.
		for errors.Is(err, shellquote.UnterminatedSingleQuoteError) || errors.Is(err, shellquote.UnterminatedDoubleQuoteError) ||
			errors.Is(err, shellquote.UnterminatedEscapeError) {
			if i++; i == len(lines) {
				return nil, fmt.Errorf("line %d: a quote is not closed", start+1)
			}
			line += lines[i]
			words, err = shellquote.Split(line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %v", start+1, err)
		}
		for _, word := range words {
			if key, value, ok := strings.Cut(word, "="); ok && ValidKey(key) {
				vars[key] = value
			}
		}
	}
	return vars, nil
}

// Format writes vars as the text of an ENV file, sorted by name.
func Format(vars Vars) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(&b, "export %s=%s\n", key, Quote(vars[key]))
	}
	return b.String()
}

// Quote returns s in single quotes, for any POSIX shell.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Read reads the ENV file at path; where there is none the result is empty.
func Read(path string) (Vars, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Vars{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the variables: %w", err)
	}
	vars, err := Parse(string(data))
	if err != nil {
		return nil, fmt.Errorf("cannot read the variables in %q: %w", path, err)
	}
	return vars, nil
}

// Write puts vars in the ENV file at path, readable by its owner only.
func Write(path string, vars Vars) error { return record.Write(path, []byte(Format(vars)), 0o600) }

// Merge returns the variables of all, the later ones winning.
func Merge(all ...Vars) Vars {
	out := Vars{}
	for _, vars := range all {
		maps.Copy(out, vars)
	}
	return out
}

// List returns vars as KEY=VALUE, sorted.
func (v Vars) List() []string {
	out := make([]string, 0, len(v))
	for _, key := range slices.Sorted(maps.Keys(v)) {
		out = append(out, key+"="+v[key])
	}
	return out
}
