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

	"github.com/dokku-go/dokku/plugins-core/internal/rawenv"
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

// CheckValue refuses what no environment can hold, and what would not fit into that of a container.
func CheckValue(key, value string) error {
	if strings.ContainsRune(value, 0) {
		return fmt.Errorf("cannot set %q: the value has a NUL byte, which no environment can hold", key)
	}
	if env, encoded := rawenv.Encode([]string{key + "=" + value}); encoded && len(env[0]) > rawenv.MaxLen {
		return fmt.Errorf("cannot set %q: the value is no UTF-8, and of such a container can have about 96 KiB", key)
	}
	return nil
}

// Parse reads the text of an ENV file: words, quotes, backslashes and comments mean what they mean to a shell, and
// nothing is expanded. A word that gives no valid name a value is passed over.
func Parse(text string) (Vars, error) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, fmt.Errorf("line %d: it has a NUL byte, which no environment can hold", 1+strings.Count(text[:i], "\n"))
	}
	vars := Vars{}
	for rest := text; ; {
		rest = strings.TrimLeft(rest, " \t\n")
		if rest == "" {
			return vars, nil
		}
		if rest[0] == '#' {
			_, rest, _ = strings.Cut(rest, "\n")
			continue
		}
		word, tail, ok := nextWord(rest)
		if !ok {
			return nil, fmt.Errorf("line %d: a quote is not closed", 1+strings.Count(text[:len(text)-len(rest)], "\n"))
		}
		if key, value, found := strings.Cut(word, "="); found && ValidKey(key) {
			vars[key] = value
		}
		rest = tail
	}
}

// nextWord takes the first word of text, which does not begin with a blank; ok is false when a quote in it is not
// closed. A value may be long and have many lines, so each byte is looked at once.
func nextWord(text string) (word, rest string, ok bool) {
	var b strings.Builder
	for text != "" {
		i := strings.IndexAny(text, " \t\n'\"\\")
		if i < 0 {
			b.WriteString(text)
			return b.String(), "", true
		}
		b.WriteString(text[:i])
		c := text[i]
		text = text[i+1:]
		switch c {
		case ' ', '\t', '\n':
			return b.String(), text, true
		case '\'':
			quoted, tail, closed := strings.Cut(text, "'")
			if !closed {
				return "", "", false
			}
			b.WriteString(quoted)
			text = tail
		case '"':
			if text, ok = doubleQuoted(&b, text); !ok {
				return "", "", false
			}
		case '\\':
			text = escaped(&b, text, "")
		}
	}
	return b.String(), "", true
}

// doubleQuoted writes what stands before the closing quote to b and returns what stands behind it.
func doubleQuoted(b *strings.Builder, text string) (rest string, ok bool) {
	for {
		i := strings.IndexAny(text, `"\`)
		if i < 0 {
			return "", false
		}
		b.WriteString(text[:i])
		c := text[i]
		if text = text[i+1:]; c == '"' {
			return text, true
		}
		text = escaped(b, text, "$`\"\\\n")
	}
}

// escaped writes what a backslash before text means to b and returns what follows: the character itself, nothing for an
// end of line. Where only some characters can be escaped, and at the end, the backslash stands for itself.
func escaped(b *strings.Builder, text, only string) (rest string) {
	switch {
	case text == "" || only != "" && !strings.Contains(only, text[:1]):
		b.WriteByte('\\')
		return text
	case text[0] != '\n':
		b.WriteByte(text[0])
	}
	return text[1:]
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
