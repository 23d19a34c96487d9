package checks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
)

// health is one of the healthchecks of app.json.
type health struct {
	kind         string // startup, readiness or liveness
	name         string
	command      []string
	path         string
	listening    bool
	uptime       int
	attempts     int
	timeout      int
	wait         int
	initialDelay int
	port         int // 0: the process's
	scheme       string
	content      string
	headers      []header
}

type header struct{ Name, Value string }

// parseHealth reads the healthchecks of an app.json by process type. What it does not know is passed over with a
// warning, what has the wrong type is an error.
func parseHealth(text []byte) (checks map[string][]health, warnings []string, err error) {
	var file struct {
		Healthchecks map[string][]map[string]json.RawMessage `json:"healthchecks"`
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil, nil
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, nil, explainJSON(text, err)
	}
	checks = map[string][]health{}
	for _, kind := range slices.Sorted(maps.Keys(file.Healthchecks)) {
		if !scale.ValidType(kind) {
			return nil, nil, fmt.Errorf("healthchecks: %q is no process type", kind)
		}
		for i, fields := range file.Healthchecks[kind] {
			where := fmt.Sprintf("healthchecks.%s[%d]", kind, i)
			h, unknown, err := newHealth(fields)
			if err != nil {
				return nil, nil, fmt.Errorf("%s%w", where, err)
			}
			for _, key := range unknown {
				warnings = append(warnings, fmt.Sprintf("%s: %q is ignored: it is unknown", where, key))
			}
			if h.name == "" {
				h.name = fmt.Sprintf("%s check %d", h.kind, i+1)
			}
			checks[kind] = append(checks[kind], h)
		}
	}
	return checks, warnings, nil
}

// explainJSON says where and why app.json cannot be read.
func explainJSON(text []byte, err error) error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w", 1+bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n")), err)
	case errors.As(err, &wrong) && wrong.Field == "":
		return errors.New("it is no object")
	case errors.As(err, &wrong):
		return fmt.Errorf("%s: it is not to be a %s; give an object that has a list of objects for each process type", wrong.Field, wrong.Value)
	}
	return err
}

// newHealth reads one check.
func newHealth(fields map[string]json.RawMessage) (h health, unknown []string, err error) {
	h = health{kind: "startup", attempts: 3, timeout: 5, wait: 5, scheme: "http"}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		to, want := h.field(key)
		switch {
		case to == nil:
			unknown = append(unknown, key)
			continue
		case string(fields[key]) == "null":
			continue
		}
		if err := json.Unmarshal(fields[key], to); err != nil {
			return h, nil, fmt.Errorf(".%s: give %s", key, want)
		}
	}
	return h, unknown, h.check()
}

// field is where the value of a key belongs, and in words what it has to be.
func (h *health) field(key string) (to any, want string) {
	const text, number, list = "a text", "a whole number", "a list of texts"
	switch key {
	case "type":
		return &h.kind, text
	case "name":
		return &h.name, text
	case "command":
		return &h.command, list
	case "path":
		return &h.path, text
	case "listening":
		return &h.listening, "true or false"
	case "uptime":
		return &h.uptime, number
	case "attempts":
		return &h.attempts, number
	case "timeout":
		return &h.timeout, number
	case "wait":
		return &h.wait, number
	case "initialDelay":
		return &h.initialDelay, number
	case "port":
		return &h.port, number
	case "scheme":
		return &h.scheme, text
	case "content":
		return &h.content, text
	case "httpHeaders":
		return &h.headers, `a list of objects with the texts "name" and "value"`
	}
	return nil, ""
}

// check refuses values that make no sense.
func (h *health) check() error {
	for _, n := range []struct {
		key          string
		value, least int
		most         int
	}{
		{"attempts", h.attempts, 1, maxNumber}, {"timeout", h.timeout, 1, maxNumber}, {"wait", h.wait, 0, maxNumber},
		{"initialDelay", h.initialDelay, 0, maxNumber}, {"uptime", h.uptime, 0, maxNumber}, {"port", h.port, 0, 65535},
	} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf(".%s: give a whole number from %d to %d", n.key, n.least, n.most)
		}
	}
	ways := 0
	for _, given := range []bool{len(h.command) > 0, h.path != "", h.listening, h.uptime > 0} {
		if given {
			ways++
		}
	}
	switch {
	case !slices.Contains([]string{"startup", "readiness", "liveness"}, h.kind):
		return errors.New(".type: give startup, readiness or liveness")
	case h.scheme != "http" && h.scheme != "https":
		return errors.New(".scheme: give http or https")
	case ways != 1:
		return errors.New(": give it one of command, path, listening and uptime")
	}
	if h.path != "" {
		if u, err := url.ParseRequestURI(h.path); err != nil || !strings.HasPrefix(h.path, "/") || u.Host != "" {
			return errors.New(".path: give a path that begins with /")
		}
	}
	for _, f := range h.headers {
		if !validHeader(f) {
			return fmt.Errorf(".httpHeaders: %q: %q is no header", f.Name, f.Value)
		}
	}
	return nil
}

// validHeader tells whether a header can be sent as it is.
func validHeader(h header) bool {
	for _, r := range h.Name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return h.Name != "" && !strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// what says in words what a check does.
func (h *health) what() string {
	switch {
	case len(h.command) > 0:
		return fmt.Sprintf("command %q", h.command)
	case h.path != "":
		return "path " + h.path
	case h.listening:
		return "listening"
	}
	return fmt.Sprintf("uptime of %d s", h.uptime)
}

// portOf is the port of a check of a process that listens on port; one that has none may listen where web processes do.
func (h *health) portOf(port int) int {
	switch {
	case h.port != 0:
		return h.port
	case port != 0:
		return port
	}
	return app.Port
}

// atDeploy lists the checks that a deploy runs, in their order.
func atDeploy(list []health) []health {
	var out []health
	for _, kind := range []string{"startup", "readiness"} {
		for _, h := range list {
			if h.kind == kind {
				out = append(out, h)
			}
		}
	}
	return out
}
