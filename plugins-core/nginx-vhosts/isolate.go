package nginxvhosts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// isolate sets aside the apps because of which nginx refuses its configuration, until it takes the rest, and returns
// them. With only, no other app is touched. An error that is no app's comes back as it is.
//
// Whom nginx' message is about is a guess until nginx says something else without them. When it does not, or nobody
// can be guessed, the culprit is found by trying.
func (h *host) isolate(ctx context.Context, only string) (aside []*quarantine, err error) {
	apps, err := h.apps()
	if err != nil {
		return nil, err
	}
	var last string             // nginx' message before
	var guess []*quarantine     // who was set aside because of it
	for range 2*len(apps) + 1 { // a wrong guess costs a round
		err := testConfig(ctx, h.c)
		var refused *refusal
		if !errors.As(err, &refused) {
			return aside, err
		}
		var names []string
		if refused.message == last && len(guess) > 0 {
			for _, q := range guess {
				if err := h.site(q.App).putBack(); err != nil {
					return aside, err
				}
				aside = slices.DeleteFunc(aside, func(a *quarantine) bool { return a == q })
			}
		} else {
			names = h.suspects(refused.message)
		}
		last, guess = refused.message, nil
		switch {
		case only != "" && !slices.Contains(names, only):
			return aside, refused
		case only != "":
			names = []string{only}
		case len(names) == 0:
			name, err := h.search(ctx)
			if err != nil {
				return aside, err
			}
			if name == "" {
				return aside, fmt.Errorf("%w; this is no app's doing: look at nginx' own files", refused)
			}
			names, last = []string{name}, ""
		}
		for _, name := range names {
			q := &quarantine{App: name, Reason: refused.message, Since: time.Now().UTC().Truncate(time.Second)}
			if err := h.site(name).setAside(q); err != nil {
				return aside, err
			}
			aside, guess = append(aside, q), append(guess, q)
		}
	}
	return aside, testConfig(ctx, h.c)
}

// search finds an app without which nginx would take the configuration, "" when it takes none even without all of them.
// It halves their number with each try. What it does is undone at its end, or by whoever takes the lock next.
func (h *host) search(ctx context.Context) (name string, err error) {
	apps, err := h.apps()
	if err != nil {
		return "", err
	}
	if err := record.WriteLine(h.trialFile(), "looking for a culprit"); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, h.endTrial()) }()
	refusedWith := func(n int) bool { // nginx does not want the first n
		for i, name := range apps {
			from, to := h.site(name).conf(), h.site(name).conf()+trialSuffix
			if i < n {
				from, to = to, from
			}
			if _, e := os.Lstat(from); e != nil {
				continue // it is there already, or is being destroyed
			}
			if e := record.Rename(from, to); e != nil {
				err = errors.Join(err, fmt.Errorf("cannot try without app %q: %w", name, e))
			}
		}
		var refused *refusal
		e := testConfig(ctx, h.c)
		if e != nil && !errors.As(e, &refused) {
			err = errors.Join(err, e)
		}
		return e != nil
	}
	if refusedWith(0) || err != nil {
		return "", err
	}
	// The first n at which it refuses: with none it does not, with all it does.
	n := 1 + sort.Search(len(apps)-1, func(i int) bool { return refusedWith(i + 1) })
	if err != nil || len(apps) == 0 {
		return "", err
	}
	return apps[n-1], nil
}

func (h *host) trialFile() string { return filepath.Join(h.s.Data(pluginName), "trial") }

// endTrial puts back what a search has taken away, and takes away what somebody had nginx try.
func (h *host) endTrial() error {
	if exists(h.tryFile()) {
		if err := record.Remove(h.tryFile()); err != nil {
			return err
		}
	}
	if _, err := os.Stat(h.trialFile()); err != nil {
		return nil // there was none
	}
	names, err := app.List(h.s.Root())
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		conf := h.site(name).conf()
		if _, err := os.Lstat(conf + trialSuffix); err != nil {
			continue
		}
		if h.served(name) { // written anew meanwhile
			errs = append(errs, record.Remove(conf+trialSuffix))
			continue
		}
		errs = append(errs, record.Rename(conf+trialSuffix, conf))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot put back what nginx serves: %w", err)
	}
	return record.Remove(h.trialFile())
}
