package nginxvhosts

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
)

// render is the app's nginx.conf: ours, or what its template makes of it.
func (s *site) render(ctx context.Context, sides [][]string, names []string, cert *pair, at ports) (string, error) {
	t, err := s.template(ctx)
	if err != nil {
		return "", err
	}
	if t == nil {
		return s.text(sides, names, cert, at), nil
	}
	text, err := s.textFrom(t, names, cert, at, s.addresses())
	if err != nil {
		return "", err
	}
	return s.upstreams(sides) + text, s.claimOthers(ctx, otherNames(text, names))
}

// claimOthers is for the names that a template has and the app has not: they may be nobody else's all the same.
func (s *site) claimOthers(ctx context.Context, names []string) error {
	for _, name := range names {
		owner, err := hosts.Owner(ctx, s.c, s.app, name)
		if err != nil {
			return err
		}
		if owner != "" {
			return fmt.Errorf("cannot serve %q as %s: app %q has that name", s.app.Name, name, owner)
		}
	}
	return s.claim(ctx, names)
}

// nameSet are the names of one use of a template, and those among them that are served by TLS.
type nameSet struct{ all, secure []string }

// textFrom is what the template makes, fitted to the sides of the app.
func (s *site) textFrom(t *custom, names []string, cert *pair, at ports, addresses []string) (string, error) {
	secure, plain := cert.split(names)
	if len(secure) == 0 {
		cert = nil
	}
	sets := []nameSet{{all: names, secure: secure}}
	if t.shell && cert != nil { // these redirect to $SSL_SERVER_NAME, which therefore is one name
		sets = nil
		for _, name := range secure {
			sets = append(sets, nameSet{all: []string{name}, secure: []string{name}})
		}
		sets[0].all = append(sets[0].all, plain...)
	}
	inner := t.containerPort(at)
	var b strings.Builder
	for _, set := range sets {
		vars, err := s.variables(set, cert, at, inner, len(addresses))
		if err != nil {
			return "", err
		}
		text, err := t.expand(s.app, vars)
		if err != nil {
			return "", err
		}
		b.WriteString(strings.TrimRight(text, "\n") + "\n")
	}
	text := b.String()
	for i := len(addresses) - 1; i >= 0; i-- { // .11 before .1
		text = strings.ReplaceAll(text, listener(i, inner), addresses[i])
	}
	if t.shell {
		text = regexp.MustCompile(`(?m)^([ \t]*listen\b[^;\n]*) spdy\b`).ReplaceAllString(text, "$1 http2") // nginx has it no more
	}
	if !hasIPv6() {
		text = regexp.MustCompile(`(?m)^[ \t]*listen\s+\[[^]]*\]:[^;\n]*;[ \t]*\n?`).ReplaceAllString(text, "")
	}
	return s.switched(text, []string{s.app.Name, s.app.Name + "-" + inner}, addresses), nil
}

// switched has requests go by the files that choose a side, wherever the text passes them to the app as a whole. Such
// a text is the same after a deploy, so nginx does not reload. Where it is more particular, by a path or for another
// protocol than http, it goes to the addresses that serve now, and a deploy reloads.
func (s *site) switched(text string, names, addresses []string) string {
	for _, name := range names {
		quoted := regexp.QuoteMeta(name)
		text = regexp.MustCompile(`(\bproxy_pass\s+http://)`+quoted+`\s*;`).ReplaceAllString(text, "${1}$$dokku_upstream;")
		block := regexp.MustCompile(`(?m)^([ \t]*upstream\s+)` + quoted + `(\s*\{[^{}]*\})[ \t]*\n?`)
		passed := regexp.MustCompile(`(_pass\s+(?:[a-z]+://)?|\bset\s+\$\w+\s+["']?http://)` + quoted + `([\s/;:?"'])`)
		switch {
		case !passed.MatchString(text):
			text = block.ReplaceAllString(text, "") // there are the sides in its place
			continue
		case block.MatchString(text):
			text = block.ReplaceAllString(text, "${1}"+name+"_now${2}\n")
		default:
			text = "upstream " + name + "_now {\n" + servers(addresses) + "}\n\n" + text
		}
		text = passed.ReplaceAllString(text, "${1}"+name+"_now${2}")
	}
	return s.withSwitch(text)
}

// withSwitch has each server that passes requests to the side that answers find out which that is, and each that goes to
// the addresses that serve now wait until the app was brought up.
func (s *site) withSwitch(text string) string {
	theirs := strings.Contains(text, "open_file_cache ")
	starts := regexp.MustCompile(`(?m)^[ \t]*server\s*\{`).FindAllStringIndex(text, -1)
	for i, start := range slices.Backward(starts) {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		part, first := text[start[0]:end], ""
		if strings.Contains(part, "$dokku_upstream") {
			first = s.chooser()
		}
		if s.guarded() && strings.Contains(part, s.app.Name) && strings.Contains(part, "_now") {
			if first == "" {
				first = noFileCache
			}
			first += "  if (!-f " + s.readyFile() + ") {\n    return 502;\n  }\n"
		}
		if first == "" {
			continue
		}
		if theirs { // it may not be said twice
			first = strings.Replace(first, noFileCache, "", 1)
		}
		text = text[:start[1]] + "\n" + strings.TrimRight(first, "\n") + text[start[1]:]
	}
	return text
}

// otherNames are the host names in a text that the app does not have.
func otherNames(text string, names []string) []string {
	var out []string
	for _, found := range regexp.MustCompile(`(?m)\bserver_name\s+([^;{}]*);`).FindAllStringSubmatch(text, -1) {
		for name := range strings.FieldsSeq(found[1]) {
			if name = strings.Trim(strings.ToLower(name), `"'`); hosts.Usable(name) && !hosts.Has(names, name) && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func servers(addresses []string) string {
	var b strings.Builder
	for _, address := range addresses {
		b.WriteString("  server " + address + ";\n")
	}
	return b.String()
}

// upstreams are the sides of the app.
func (s *site) upstreams(sides [][]string) string {
	var b strings.Builder
	for i, side := range sides {
		b.WriteString("upstream " + s.upstream(i, len(switches())) + " {\n" + servers(side) + "}\n\n")
	}
	return b.String()
}

// noFileCache has nginx look at the files at each request.
const noFileCache = "  open_file_cache off;\n"

// chooser is what a server says to find the side that answers.
func (s *site) chooser() string {
	var b strings.Builder
	b.WriteString("  # Which upstream answers is decided by files, so that a deploy switches all workers at one moment.\n")
	b.WriteString(noFileCache + "  set $dokku_upstream " + s.app.Name + ";\n")
	for _, suffix := range switches() {
		b.WriteString("  if (-f " + filepath.Join(s.s.Data(pluginName), suffix) + "/$dokku_upstream) {\n")
		b.WriteString("    set $dokku_upstream ${dokku_upstream}_" + suffix + ";\n  }\n")
	}
	if s.guarded() {
		b.WriteString("  if (!-f " + s.readyFile() + ") {\n")
		b.WriteString("    set $dokku_upstream unix:" + readyDir(s.s) + "/none;\n  }\n") // where nothing listens
	}
	return b.String()
}
