package buildstep

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"unicode"
)

// Pack says which buildpack is meant, and where it comes from: one of Name, Path and URL is set.
type Pack struct {
	Name    string // of one of the stack
	Path    string // of a directory of the source
	URL     string // of a git repository or an archive
	Ref     string // of the repository: a branch, a tag or a commit
	Archive bool
	SHA256  string // the archive's, in hexadecimal
}

// maxEntry is more than any entry needs.
const maxEntry = 2048

// ParsePack reads an entry of a list of buildpacks:
//
//	nodejs                                a buildpack of the stack
//	heroku/nodejs                         short for https://github.com/heroku/heroku-buildpack-nodejs.git
//	https://host/pack.git#ref             a repository: https, http, git, ssh or user@host:path
//	https://host/pack.tgz#sha256:HEX      an archive
//	./pack                                a directory of the source
func ParsePack(entry string) (Pack, error) {
	p, err := parsePack(entry)
	if err != nil {
		return Pack{}, fmt.Errorf("cannot use %q as a buildpack: %w", shorten(entry), err)
	}
	return p, nil
}

func shorten(s string) string {
	if len(s) > 200 {
		return s[:200] + "..."
	}
	return s
}

func parsePack(entry string) (Pack, error) {
	switch {
	case entry == "":
		return Pack{}, errors.New("it is empty")
	case len(entry) > maxEntry:
		return Pack{}, fmt.Errorf("it has more than %d bytes", maxEntry)
	case strings.ContainsFunc(entry, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return Pack{}, errors.New("it has blanks or characters that cannot be seen")
	case strings.HasPrefix(entry, "-"):
		return Pack{}, errors.New("it begins with a hyphen")
	case validName(entry):
		return Pack{Name: entry}, nil
	case strings.HasPrefix(entry, "./"):
		if dir := path.Clean(entry); filepath.IsLocal(dir) && dir != "." {
			return Pack{Path: dir}, nil
		}
		return Pack{}, errors.New("it is not inside the source")
	}
	if org, name, ok := strings.Cut(entry, "/"); ok && validShort(org) && validShort(name) {
		if org == "heroku-community" {
			org = "heroku"
		}
		return Pack{URL: "https://github.com/" + org + "/heroku-buildpack-" + name + ".git"}, nil
	}
	return parseURL(entry)
}

func parseURL(entry string) (Pack, error) {
	address, fragment, hasFragment := strings.Cut(entry, "#")
	if hasFragment && fragment == "" {
		return Pack{}, errors.New("nothing follows the #")
	}
	if user, rest, ok := strings.Cut(address, "@"); ok && validShort(user) && !strings.Contains(address, "://") {
		host, dir, ok := strings.Cut(rest, ":")
		if !ok || !validHost(host) || dir == "" || strings.HasPrefix(dir, "-") {
			return Pack{}, errors.New("it is not of the form USER@HOST:PATH")
		}
		return withRef(Pack{URL: address}, fragment)
	}
	u, err := url.Parse(address)
	if err != nil {
		return Pack{}, errors.New("it is no URL")
	}
	switch u.Scheme {
	case "https", "http", "git", "ssh":
	case "file":
		return Pack{}, errors.New("a build has no files of the host; serve it over http or git")
	default:
		return Pack{}, errors.New("want the name of one of the stack, ORG/NAME, ./DIRECTORY of the source, or a URL of https, http, git or ssh")
	}
	if !validHost(u.Hostname()) || strings.Trim(u.Path, "/") == "" {
		return Pack{}, errors.New("a URL needs a host and a path")
	}
	p := Pack{URL: address}
	if (u.Scheme == "https" || u.Scheme == "http") && (strings.HasSuffix(u.Path, ".tgz") || strings.HasSuffix(u.Path, ".tar.gz")) {
		p.Archive = true
		return withChecksum(p, fragment)
	}
	return withRef(p, fragment)
}

func withChecksum(p Pack, fragment string) (Pack, error) {
	if fragment == "" {
		return p, nil
	}
	sum, ok := strings.CutPrefix(fragment, "sha256:")
	if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != 32 {
		return Pack{}, errors.New("behind the # of an archive stands sha256: and 64 hexadecimal digits")
	}
	p.SHA256 = strings.ToLower(sum)
	return p, nil
}

// withRef takes what git takes as the name of a branch or tag, as far as anybody uses it, or a commit.
func withRef(p Pack, ref string) (Pack, error) {
	bad := func(r rune) bool { return strings.ContainsRune(`~^:?*[\@{`, r) }
	if strings.HasPrefix(ref, "-") || strings.Contains(ref, "..") || strings.ContainsFunc(ref, bad) {
		return Pack{}, fmt.Errorf("%q is no name of a branch or tag and no commit", ref)
	}
	p.Ref = ref
	return p, nil
}

// validName tells whether s can be the name of a buildpack of the stack.
func validName(s string) bool {
	return validShort(s) && strings.ToLower(s) == s && !strings.Contains(s, ".")
}

// validShort tells whether s is a word of letters, digits and _ . - that begins with a letter or digit.
func validShort(s string) bool {
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case i > 0 && strings.ContainsRune("_.-", r):
		default:
			return false
		}
	}
	return s != ""
}

func validHost(s string) bool {
	return s != "" && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool { return strings.ContainsRune("/@#?%", r) })
}

// String is the entry that reads as p, for lists.
func (p Pack) String() string {
	switch {
	case p.Name != "":
		return p.Name
	case p.Path != "":
		return "./" + p.Path
	case p.SHA256 != "":
		return p.URL + "#sha256:" + p.SHA256
	case p.Ref != "":
		return p.URL + "#" + p.Ref
	}
	return p.URL
}

// Shown is String without what is secret in a URL, for people's eyes: a password, and of web servers the user's name as
// well, which is where tokens are given.
func (p Pack) Shown() string {
	if u, err := url.Parse(p.URL); err == nil && u.User != nil {
		_, secret := u.User.Password()
		switch {
		case u.Scheme == "http" || u.Scheme == "https":
			u.User = url.User("xxxxx")
			p.URL = u.String()
		case secret:
			p.URL = u.Redacted()
		}
	}
	return p.String()
}

// ParsePacks reads a list, an entry per line; "#" begins a comment line.
func ParsePacks(text string) ([]Pack, error) {
	var packs []Pack
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		p, err := ParsePack(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		packs = append(packs, p)
	}
	return packs, nil
}
