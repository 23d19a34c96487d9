package rootfs

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Source is a place that apt gets packages from: one URI and one suite of it.
type Source struct {
	URI, Suite, Components string
	Key                    string // the file of the keys that its lists are signed with, "": apt's own
	Trusted                bool   // it is taken unsigned
}

// Line is the source as a line of a sources.list.
func (s Source) Line() string {
	var options []string
	if s.Key != "" {
		options = append(options, "signed-by="+s.Key)
	}
	if s.Trusted {
		options = append(options, "trusted=yes")
	}
	line := "deb "
	if len(options) > 0 {
		line += "[" + strings.Join(options, " ") + "] "
	}
	return strings.TrimSpace(line + s.URI + " " + s.Suite + " " + s.Components)
}

// debianKeys are in every Debian, where apt finds them without being told.
const debianKeys = "/usr/share/keyrings/debian-archive-keyring."

// HostSources returns the host's own sources of a suite of Debian, from a directory such as /etc/apt; those of other
// vendors are left out. Without any it returns the usual ones.
func HostSources(dir, suite string) []Source {
	var found []Source
	read := func(pattern string, parse func(string) []Source) {
		files, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is well formed
		for _, file := range files {
			if data, err := os.ReadFile(file); err == nil {
				found = append(found, parse(string(data))...)
			}
		}
	}
	read("sources.list", ParseList)
	read("sources.list.d/*.list", ParseList)
	read("sources.list.d/*.sources", ParseStanzas)
	var chosen []Source
	base := false
	for _, s := range found {
		if !ofDebian(s) || s.Suite != suite && !strings.HasPrefix(s.Suite, suite+"-") || slices.Contains(chosen, s) {
			continue
		}
		base = base || s.Suite == suite
		chosen = append(chosen, s)
	}
	if base {
		return chosen
	}
	return []Source{
		{URI: "http://deb.debian.org/debian", Suite: suite, Components: "main"},
		{URI: "http://deb.debian.org/debian", Suite: suite + "-updates", Components: "main"},
		{URI: "http://deb.debian.org/debian-security", Suite: suite + "-security", Components: "main"},
	}
}

// ofDebian tells a mirror of Debian by the end of its address.
func ofDebian(s Source) bool {
	uri := strings.TrimRight(s.URI, "/")
	return strings.HasSuffix(uri, "/debian") || strings.HasSuffix(uri, "/debian-security")
}

// ParseList reads the lines of a sources.list (sources.list(5), one-line-style format); what it does not understand it
// leaves out, as packages of sources.
func ParseList(text string) []Source {
	var out []Source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
			continue
		}
		rest = strings.TrimSpace(rest)
		var s Source
		if strings.HasPrefix(rest, "[") {
			options, after, closed := strings.Cut(rest[1:], "]")
			if !closed {
				continue
			}
			rest = after
			for _, option := range strings.Fields(options) {
				name, value, _ := strings.Cut(option, "=")
				s.set(name, value)
			}
		}
		words := strings.Fields(rest)
		if len(words) < 2 {
			continue
		}
		s.URI, s.Suite, s.Components = words[0], words[1], strings.Join(words[2:], " ")
		out = append(out, s)
	}
	return out
}

// ParseStanzas reads a file of the other format, stanzas of fields (sources.list(5), deb822-style format).
func ParseStanzas(text string) []Source {
	var out []Source
	fields, last := map[string]string{}, ""
	flush := func() {
		if slices.Contains(strings.Fields(fields["types"]), "deb") && !strings.EqualFold(fields["enabled"], "no") {
			for _, uri := range strings.Fields(fields["uris"]) {
				for _, suite := range strings.Fields(fields["suites"]) {
					s := Source{URI: uri, Suite: suite, Components: strings.Join(strings.Fields(fields["components"]), " ")}
					s.set("signed-by", fields["signed-by"])
					s.set("trusted", fields["trusted"])
					out = append(out, s)
				}
			}
		}
		fields, last = map[string]string{}, ""
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		line := lines.Text()
		switch name, value, ok := strings.Cut(line, ":"); {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			flush()
		case line[0] == ' ' || line[0] == '\t':
			fields[last] += "\n" + strings.TrimSpace(line)
		case ok:
			last = strings.ToLower(strings.TrimSpace(name))
			fields[last] = strings.TrimSpace(value)
		}
	}
	flush()
	return out
}

// set takes what an option says of how the source is trusted. A key that is not in a file stands in the way of nobody:
// apt's own keys have to do, or the creation ends with what apt says.
func (s *Source) set(option, value string) {
	switch option = strings.ToLower(option); {
	case option == "trusted":
		s.Trusted = value == "yes"
	case option == "signed-by" && filepath.IsAbs(value) && isPlainPath(value) && !strings.HasPrefix(value, debianKeys):
		s.Key = value
	}
}

// isPlainPath tells whether a path means itself to apt, to a shell, and in a list.
func isPlainPath(path string) bool {
	return !strings.ContainsFunc(path, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-+", r)
	})
}
