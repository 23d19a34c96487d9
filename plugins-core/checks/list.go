package checks

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// list is what a CHECKS file says.
type list struct {
	checks                  []page
	wait, timeout, attempts *int // nil: the file does not say
	ignored                 []string
}

// page is one check of a CHECKS file: what to ask for, and what has to be in the answer.
type page struct {
	host     string // for the Host header; "": the container's address
	path     string // with its query
	tls      bool   // the line says https
	expected string // "": any answer will do
}

// maxNumber bounds what can be set: a day, in seconds.
const maxNumber = 24 * 60 * 60

// parseList reads the text of a CHECKS file.
func parseList(text string) (*list, error) {
	l := &list{}
	n := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := l.add(line, n); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return l, nil
}

func (l *list) add(line string, n int) error {
	if isCheck(line) {
		p, err := parsePage(line)
		if err == nil {
			l.checks = append(l.checks, p)
		}
		return err
	}
	name, value, _ := strings.Cut(line, "=")
	var err error
	switch strings.TrimSpace(name) {
	case "WAIT":
		l.wait, err = parseNumber(name, value, 0)
	case "TIMEOUT":
		l.timeout, err = parseNumber(name, value, 1)
	case "ATTEMPTS":
		l.attempts, err = parseNumber(name, value, 1)
	default:
		l.ignored = append(l.ignored, fmt.Sprintf("line %d is ignored: %q is no path, no address and no setting", n, line))
	}
	return err
}

// parseNumber reads the value of a setting, behind which there may be a comment.
func parseNumber(name, value string, least int) (*int, error) {
	value, _, _ = strings.Cut(value, "#")
	value = strings.TrimSpace(value)
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > maxNumber {
		return nil, fmt.Errorf("cannot use %s=%s: give a whole number from %d to %d", strings.TrimSpace(name), value, least, maxNumber)
	}
	return &n, nil
}

// isCheck tells lines of checks from all others.
func isCheck(line string) bool {
	return strings.HasPrefix(line, "/") || strings.HasPrefix(line, "http:") || strings.HasPrefix(line, "https:")
}

// parsePage reads a line PATH, //HOST/PATH or http://HOST/PATH, with what is expected behind it.
func parsePage(line string) (page, error) {
	where, expected := line, ""
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		where, expected = line[:i], strings.TrimLeft(line[i:], " \t")
	}
	full := where
	switch {
	case strings.HasPrefix(where, "//"):
		full = "http:" + where
	case strings.HasPrefix(where, "/"):
		full = "http://container" + where
	}
	u, err := url.Parse(full)
	switch {
	case err != nil:
		var reason *url.Error
		if errors.As(err, &reason) {
			err = reason.Err
		}
		return page{}, fmt.Errorf("cannot use the check %q: %w", where, err)
	case u.User != nil || !validHost(u.Host):
		return page{}, fmt.Errorf("cannot use the check %q: it names no host", where)
	}
	p := page{path: u.RequestURI(), tls: u.Scheme == "https", expected: expected}
	if full != "http://container"+where {
		p.host = u.Host
	}
	return p, nil
}

// validHost tells whether s can be a Host header: a name or an address, and perhaps a port.
func validHost(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_:[]", r) {
			return false
		}
	}
	return s != "" && s[0] != ':'
}

// contains tells whether a body has what is expected: that very text, or, if it is a regular expression, what that
// describes. Lines are matched one by one, as grep does.
func contains(body, expected string) bool {
	if strings.Contains(body, expected) {
		return true
	}
	re, err := regexp.Compile("(?m)" + expected)
	return err == nil && re.MatchString(body)
}
