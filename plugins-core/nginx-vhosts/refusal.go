package nginxvhosts

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

// refusal is the error of an nginx that does not want its configuration.
type refusal struct {
	what    string // what could not be done
	message string // nginx' reason, one line
}

func (r *refusal) Error() string { return "cannot " + r.what + ": " + r.message }

// reason finds the line in nginx' output that says why it refuses its configuration; "" when it has none, since then
// something else went wrong.
func reason(output string) string {
	for line := range strings.Lines(output) {
		if _, message, ok := strings.Cut(line, "[emerg] "); ok {
			// In the form of log files it says whose words these are, "PID#TID: ", which are others the next time.
			if id, rest, ok := strings.Cut(message, ": "); ok && strings.Trim(id, "0123456789#") == "" {
				message = rest
			}
			return strings.TrimSpace(message)
		}
	}
	return ""
}

// namedPaths lists the absolute paths in a message of nginx': first the file whose line it complains of, then what is
// in quotes, such as certificates and log files.
func namedPaths(message string) []string {
	var paths []string
	add := func(path string) {
		if strings.HasPrefix(path, "/") && path != "/" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	if i := strings.LastIndex(message, " in /"); i >= 0 {
		path := message[i+len(" in "):]
		if colon := strings.LastIndexByte(path, ':'); colon > 0 {
			if _, err := strconv.Atoi(path[colon+1:]); err == nil {
				add(path[:colon])
			}
		}
	}
	for i, part := range strings.Split(message, `"`) {
		if i%2 == 1 {
			add(part)
		}
	}
	return paths
}

// appOf is the app in whose directory path lies, "" when there is none.
func appOf(root, path string) string {
	rest, ok := strings.CutPrefix(filepath.Clean(path), filepath.Clean(root)+"/")
	if !ok {
		return ""
	}
	name, _, ok := strings.Cut(rest, "/")
	if !ok || app.CheckName(name) != nil {
		return ""
	}
	return name
}

// suspects are the apps that nginx' message is about: the one in whose directory a named file lies, else all whose
// files name it. None when that cannot be told.
func (h *host) suspects(message string) []string {
	paths := namedPaths(message)
	for _, path := range paths {
		if name := appOf(h.s.Root(), path); name != "" && h.served(name) {
			return []string{name}
		}
	}
	var names []string
	apps, err := h.apps()
	if err != nil {
		return nil
	}
	for _, name := range apps {
		text := h.filesText(name)
		if slices.ContainsFunc(paths, func(path string) bool { return strings.Contains(text, path) }) {
			names = append(names, name)
		}
	}
	return names
}

// filesText is the text of all files of an app that nginx reads.
func (h *host) filesText(name string) string {
	var b strings.Builder
	for _, file := range h.site(name).files() {
		data, _ := os.ReadFile(file) // one that cannot be read names nothing
		b.Write(data)
		b.WriteByte('\n')
	}
	return b.String()
}

// takesDefault names the file in which an app makes itself the server of unknown hosts, "" when none does.
func (s *site) takesDefault() string {
	for _, file := range s.files() {
		data, _ := os.ReadFile(file) // nginx will complain of one that cannot be read
		if claimsDefault(string(data)) {
			return file
		}
	}
	return ""
}

// claimsDefault tells whether a text for nginx has a `listen` with `default_server`.
func claimsDefault(text string) bool {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, statement := range strings.FieldsFunc(line, func(r rune) bool { return r == ';' || r == '{' || r == '}' }) {
			words := strings.Fields(statement)
			if len(words) > 1 && words[0] == "listen" && (slices.Contains(words, "default_server") || slices.Contains(words, "default")) {
				return true
			}
		}
	}
	return false
}
