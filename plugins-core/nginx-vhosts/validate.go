package nginxvhosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/plug"
)

// validateTimeout keeps --clean from holding up the start of nginx, for which systemd has 90 s.
const validateTimeout = time.Minute

// What nginx:validate-config says of an app.
const (
	stateRefused     = "refused"     // nginx does not take it, and it is not set aside
	stateQuarantined = "quarantined" // it is set aside
	stateRestored    = "restored"    // it was set aside, and nginx takes it again
)

// validation is what nginx:validate-config finds; its JSON is for programs.
type validation struct {
	Valid   bool       `json:"valid"`
	Message string     `json:"message"` // why not
	Apps    []appState `json:"apps"`    // those that there is something to say of
}

type appState struct {
	App    string     `json:"app"`
	State  string     `json:"state"`
	Reason string     `json:"reason,omitempty"`
	Since  *time.Time `json:"since,omitempty"`
}

func (v *validation) add(state string, q *quarantine) {
	a := appState{App: q.App, State: state, Reason: q.Reason}
	if state == stateQuarantined && !q.Since.IsZero() {
		a.Since = &q.Since
	}
	v.Apps = append(v.Apps, a)
}

// validateVerb has nginx test its configuration. Apps that were set aside and are good again come back; with --clean
// those because of which it is refused are set aside.
func validateVerb(ctx context.Context, c *plug.C) error {
	clean, asJSON, err := parseValidate(c)
	if err != nil {
		return err
	}
	only := ""
	if len(c.Args) > 0 {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		only = a.Name
	}
	if clean {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, validateTimeout)
		defer cancel()
	}
	// stdout is for what was found.
	h := &host{c: c.WithOutput(c.Stderr, c.Stderr), s: c.Settings()}
	v := &validation{Apps: []appState{}}
	aside, err := h.validate(ctx, v, only, clean)
	h.tell(ctx, aside)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(c.Stdout).Encode(v)
	} else {
		v.print(c)
	}
	if err == nil && !v.Valid {
		err = fmt.Errorf("cannot use the nginx configuration: %s", v.Message)
	}
	return err
}

func parseValidate(c *plug.C) (clean, asJSON bool, err error) {
	var words []string
	for i := 0; i < len(c.Args); i++ {
		word := c.Args[i]
		name, value, given := strings.Cut(word, "=")
		switch {
		case word == "--clean":
			clean = true
		case name == "--format":
			if !given && i+1 < len(c.Args) {
				i++
				value = c.Args[i]
			}
			if !slices.Contains([]string{"json", "text", "stdout"}, value) {
				return false, false, c.Usage("cannot print as %q: the formats are json and text", value)
			}
			asJSON = value == "json"
		case strings.HasPrefix(word, "-"):
			return false, false, c.Usage("cannot use option %q: it is unknown", word)
		default:
			words = append(words, word)
		}
	}
	if len(words) > 1 {
		return false, false, c.Usage("cannot use %q: too many words", words[1])
	}
	c.Args = words
	return clean, asJSON, nil
}

func (v *validation) print(c *plug.C) {
	if v.Valid {
		c.Info1("nginx takes its configuration")
	}
	for _, a := range v.Apps {
		switch {
		case a.State == stateRestored:
			c.Verbose("%s is good again and served", a.App)
		case a.State == stateRefused:
			c.Warn("nginx refuses app %s; mend it, or have the others served with: dokku nginx:validate-config --clean", a.App)
		case a.Since != nil:
			c.Verbose("%s is set aside since %s: %s", a.App, a.Since.Format(time.RFC3339), a.Reason)
		default:
			c.Verbose("%s is set aside: %s", a.App, a.Reason)
		}
	}
}

// validate fills v and returns which apps it has set aside.
func (h *host) validate(ctx context.Context, v *validation, only string, clean bool) (aside []*quarantine, err error) {
	unlock, err := h.site("").lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return h.validateLocked(ctx, v, only, clean)
}

func (h *host) validateLocked(ctx context.Context, v *validation, only string, clean bool) (aside []*quarantine, err error) {
	if clean {
		if aside, err = h.greedy(only); err != nil {
			return aside, err
		}
	}
	var more []*quarantine
	if clean {
		more, err = h.isolate(ctx, only)
		aside = append(aside, more...)
	} else {
		err = testConfig(ctx, h.c)
	}
	var refused *refusal
	if errors.As(err, &refused) {
		v.Message = err.Error()
		if what := "cannot " + refused.what + ": "; strings.HasPrefix(v.Message, what) {
			v.Message = v.Message[len(what):]
		}
		for _, name := range h.suspects(refused.message) {
			v.add(stateRefused, &quarantine{App: name, Reason: refused.message})
		}
	} else if err != nil {
		return aside, err
	}
	v.Valid = err == nil
	restored, err := h.retry(ctx, v, only, aside)
	if err != nil {
		return aside, err
	}
	if v.Valid && (restored || len(aside) > 0) && len(workers(masterPID(h.s))) > 0 {
		err = reloadAndCount(ctx, h.c)
	}
	return aside, err
}

// greedy sets aside the apps that make themselves the server of unknown hosts.
func (h *host) greedy(only string) (aside []*quarantine, err error) {
	apps, err := h.apps()
	if err != nil {
		return nil, err
	}
	for _, name := range apps {
		s := h.site(name)
		file := s.takesDefault()
		if file == "" || only != "" && name != only {
			continue
		}
		q := &quarantine{App: name, Since: time.Now().UTC().Truncate(time.Second),
			Reason: fmt.Sprintf("%s has a listen with default_server, and what answers for unknown hosts is no app", file)}
		if err := s.setAside(q); err != nil {
			return aside, err
		}
		aside = append(aside, q)
	}
	return aside, nil
}

// retry tries the apps that are set aside, each with those that nginx takes. Nothing can be told while it takes none.
func (h *host) retry(ctx context.Context, v *validation, only string, fresh []*quarantine) (restored bool, err error) {
	apps, err := h.quarantinedApps()
	if err != nil {
		return false, err
	}
	for _, q := range apps {
		s := h.site(q.App)
		if only != "" && q.App != only {
			continue
		}
		isFresh := slices.ContainsFunc(fresh, func(f *quarantine) bool { return f.App == q.App })
		if !v.Valid || isFresh {
			v.add(stateQuarantined, q)
			continue
		}
		if _, err := os.Lstat(s.conf()); err == nil { // it has a new file, which counts
			if err := s.forgive(); err != nil {
				return restored, err
			}
			continue
		}
		if err := s.putBack(); err != nil {
			return restored, err
		}
		err := testConfig(ctx, h.c)
		if err == nil && s.takesDefault() == "" {
			v.add(stateRestored, &quarantine{App: q.App})
			restored = true
			continue
		}
		var refused *refusal
		if errors.As(err, &refused) {
			q.Reason = refused.message
		}
		if e := s.setAside(q); e != nil {
			return restored, e
		}
		if err != nil && refused == nil {
			return restored, err
		}
		v.add(stateQuarantined, q)
	}
	return restored, nil
}
