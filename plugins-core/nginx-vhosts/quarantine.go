package nginxvhosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Endings of an app's nginx.conf that nginx does not include: set aside, and taken away while a culprit is looked for.
const (
	quarantineSuffix = ".quarantined"
	trialSuffix      = ".trial"
)

// host is nginx as a whole, with the files of all apps. Its methods want the host's lock held.
type host struct {
	c *plug.C
	s settings.Settings
}

func (s *site) host() *host { return &host{c: s.c, s: s.s} }

func (h *host) site(name string) *site {
	return &site{c: h.c, s: h.s, app: app.App{Name: name, Root: h.s.Root()}}
}

// apps lists the apps that nginx serves.
func (h *host) apps() ([]string, error) {
	names, err := app.List(h.s.Root())
	if err != nil {
		return nil, err
	}
	var served []string
	for _, name := range names {
		if h.served(name) {
			served = append(served, name)
		}
	}
	return served, nil
}

// served tells whether there is a file of the app that nginx includes, be it one that cannot be read.
func (h *host) served(name string) bool {
	_, err := os.Lstat(h.site(name).conf())
	return err == nil
}

// quarantine is the record of an app that is set aside.
type quarantine struct {
	App    string    `json:"app"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

func (s *site) quarantineFile() string {
	return filepath.Join(s.s.Data(pluginName), "quarantined", s.app.Name)
}

// quarantined returns the record of an app that is set aside, nil when it is not.
func (s *site) quarantined() *quarantine {
	if _, err := os.Lstat(s.conf() + quarantineSuffix); err != nil {
		return nil
	}
	q := &quarantine{}
	data, err := os.ReadFile(s.quarantineFile())
	if err == nil {
		err = json.Unmarshal(data, q)
	}
	if err != nil {
		q.Reason = "unknown"
	}
	q.App = s.app.Name
	return q
}

// quarantinedApps lists the apps that are set aside.
func (h *host) quarantinedApps() ([]*quarantine, error) {
	names, err := app.List(h.s.Root())
	if err != nil {
		return nil, err
	}
	var out []*quarantine
	for _, name := range names {
		if q := h.site(name).quarantined(); q != nil {
			out = append(out, q)
		}
	}
	return out, nil
}

// setAside takes the app's file out of nginx' sight. The record comes first: a file that is aside has one.
func (s *site) setAside(q *quarantine) error {
	data, err := json.Marshal(q)
	if err != nil {
		return err
	}
	if err := record.Write(s.quarantineFile(), append(data, '\n'), 0o644); err != nil {
		return err
	}
	if err := record.Rename(s.conf(), s.conf()+quarantineSuffix); err != nil {
		return fmt.Errorf("cannot set aside app %q: %w", s.app.Name, err)
	}
	return record.Remove(s.loadedFile())
}

// putBack undoes setAside.
func (s *site) putBack() error {
	if err := record.Rename(s.conf()+quarantineSuffix, s.conf()); err != nil {
		return fmt.Errorf("cannot put back app %q: %w", s.app.Name, err)
	}
	return record.Remove(s.quarantineFile())
}

// forgive forgets that the app was set aside: it has a new file that nginx has taken.
func (s *site) forgive() error {
	return errors.Join(record.Remove(s.conf()+quarantineSuffix), record.Remove(s.quarantineFile()))
}

// tell says which apps are set aside and what to do, and lets others tell somebody. It fires a hook, so the host's
// lock must be free.
func (h *host) tell(ctx context.Context, aside []*quarantine) {
	for _, q := range aside {
		h.c.Warn("nginx refuses app %s, which is set aside so that the others are served: %s", q.App, q.Reason)
		h.c.Warn("its host names have the default answer until it is mended: dokku nginx:build-config %s", q.App)
		if err := h.c.Trigger(ctx, "nginx-quarantined", q.App, q.Reason); err != nil {
			h.c.Warn("nginx-quarantined: %v", err)
		}
	}
}
