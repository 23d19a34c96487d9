// Package authkeys reads and edits the text of an authorized_keys file.
//
// A [File] is a list of lines that is given back byte for byte, whatever it holds. Some of the lines are ours: they
// force a command and carry the name and the fingerprint of their key as environment variables of it. [File.Entries]
// gives those; all others (comments, blank lines, keys that somebody put there by hand) are never changed or removed.
//
//	f := authkeys.Parse(data)
//	if f.HasName("ann") { ... }
//	line, err := authkeys.Format(authkeys.Entry{Name: "ann", ...}, "/home/dokku")
//	f.Append(line)
//	os.WriteFile(path, f.Bytes(), 0o600)
//
// The package is pure: it opens no file and reads no environment.
package authkeys

import (
	"bytes"
	"strings"
)

// File is the text of an authorized_keys file.
type File struct {
	lines []string // each with its line end; only the last one may lack it
}

// Parse splits data into lines. Every input is a valid File.
func Parse(data []byte) *File {
	return &File{lines: strings.SplitAfter(string(data), "\n")}
}

// Bytes returns the text, byte for byte as it was parsed where it was not edited.
func (f *File) Bytes() []byte {
	var b bytes.Buffer
	for _, line := range f.lines {
		b.WriteString(line)
	}
	return b.Bytes()
}

// Entries returns the lines that are ours, in the order of the file.
func (f *File) Entries() []Entry {
	var entries []Entry
	for _, line := range f.lines {
		if e, ok := ParseLine(line); ok {
			entries = append(entries, e)
		}
	}
	return entries
}

// HasName reports whether one of our lines has exactly this name.
func (f *File) HasName(name string) bool {
	for _, line := range f.lines {
		if e, ok := ParseLine(line); ok && e.Name == name {
			return true
		}
	}
	return false
}

// HasKey reports whether the key is on any line of the file, ours or not. Foreign lines count because sshd obeys the
// first line that holds a key: one further down would be dead, and the restrictions on it would never apply.
func (f *File) HasKey(k Key) bool {
	for _, line := range f.lines {
		// The search for the bytes is much cheaper than taking the line apart, and almost always says no.
		if strings.Contains(line, k.base64) && keyField(line) == k.base64 {
			return true
		}
	}
	return false
}

// HasKeys reports whether there is any line that is neither blank nor a comment.
func (f *File) HasKeys() bool {
	for _, line := range f.lines {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return true
		}
	}
	return false
}

// Append adds a line at the end, which may be one that lacks its line end.
func (f *File) Append(line string) {
	if last := len(f.lines) - 1; last >= 0 && f.lines[last] != "" && !strings.HasSuffix(f.lines[last], "\n") {
		f.lines[last] += "\n"
	}
	f.lines = append(f.lines, line+"\n")
}

// Remove deletes those of our lines for which match is true and returns how many there were.
func (f *File) Remove(match func(Entry) bool) int {
	kept := f.lines[:0]
	removed := 0
	for _, line := range f.lines {
		if e, ok := ParseLine(line); ok && match(e) {
			removed++
			continue
		}
		kept = append(kept, line)
	}
	f.lines = kept
	return removed
}
