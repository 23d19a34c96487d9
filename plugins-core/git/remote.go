package git

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"unicode"
)

// remote is a repository elsewhere.
type remote struct {
	address string // as git takes it
	shown   string // without a password
	secret  string // what must not be shown, "" for nothing
	written string // how it and the user stand in the address
	local   bool   // a directory of this host
}

// errRemote says what the address of a repository may be.
var errRemote = errors.New("give an address that begins with https://, http://, ssh:// or git://, one like git@host:path, or the path of a directory of this host")

// parseRemote reads the address of a repository. Only those pass that git takes for one itself: no helper's, such as
// ext::, which would run a command, and none that a program would take for an option.
func parseRemote(text string) (remote, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return remote{}, errors.New("it has blanks or control characters in it")
	}
	before, _, isURL := strings.Cut(text, "://")
	switch {
	case strings.HasPrefix(text, "/"):
		return remote{address: filepath.Clean(text), shown: filepath.Clean(text), local: true}, nil
	case isURL && strings.EqualFold(before, "file"):
		u, err := url.Parse(text)
		if err != nil || u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(u.Path) {
			return remote{}, errRemote
		}
		return remote{address: filepath.Clean(u.Path), shown: filepath.Clean(u.Path), local: true}, nil
	case isURL:
		return parseRemoteURL(text)
	}
	host, path, found := strings.Cut(text, ":")
	user, name, hasUser := strings.Cut(host, "@")
	if !hasUser {
		user, name = "x", host
	}
	if !found || strings.HasPrefix(path, ":") || path == "" || !isWord(user) || !isHost(name) || strings.HasPrefix(path, "-") {
		return remote{}, errRemote
	}
	return remote{address: text, shown: text}, nil
}

func parseRemoteURL(text string) (remote, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || !isHost(u.Hostname()) && !strings.Contains(u.Hostname(), ":") || strings.Trim(u.Path, "/") == "" || strings.HasPrefix(strings.TrimLeft(u.Path, "/"), "-") {
		return remote{}, errRemote
	}
	switch u.Scheme {
	case "http", "https", "git":
	case "ssh":
		if u.User != nil && !isWord(u.User.Username()) {
			return remote{}, errRemote
		}
	default:
		return remote{}, errRemote
	}
	r := remote{address: u.String(), shown: shown(u)}
	if password, ok := u.User.Password(); ok {
		r.secret = password
	} else if u.User != nil && u.Scheme != "ssh" {
		r.secret = u.User.Username() // a token
	}
	if r.secret != "" {
		r.written = u.User.String() // as git gets it
	}
	return r, nil
}

// isWord tells whether s is a user's name that no program takes for anything else.
func isWord(s string) bool {
	return s != "" && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-+", r)
	})
}

// isHost is isWord for a host's name.
func isHost(s string) bool { return isWord(s) && !strings.ContainsAny(s, "+") }

// hide takes what is secret out of a text.
func (r remote) hide(text string) string {
	if r.secret == "" {
		return text
	}
	_, password, _ := strings.Cut(r.written, ":")
	// The longest first: a part of it would leave the rest.
	for _, secret := range []string{r.written, password, url.QueryEscape(r.secret), url.PathEscape(r.secret), r.secret} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}
