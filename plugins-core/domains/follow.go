package domains

import (
	"context"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// cloned gives a copy of an app names: OLD NEW. A name belongs to one app, so those of the old one are not copied; the
// copy has the names by default, or none where the old one has none.
func cloned(ctx context.Context, c *plug.C) error {
	old, err := c.App(0)
	if err != nil {
		return err
	}
	a, err := app.Find(old.Root, c.Arg(1))
	if err != nil {
		return err
	}
	own, had, err := hosts.Own(old)
	if err != nil || !had {
		return err
	}
	if len(own) == 0 {
		return write(a.Path(hosts.File), []string{})
	}
	byDefault, err := hosts.Defaults(ctx, c, old)
	if err != nil {
		return err
	}
	var stay []string
	for _, name := range own {
		if !hosts.Has(byDefault, name) {
			stay = append(stay, name)
		}
	}
	if len(stay) > 0 {
		c.Info1("%s stays with %s: a name belongs to one app", strings.Join(stay, " "), old.Name)
	}
	return nil
}

// renamed puts the names by default of the new name of an app in the place of those of the old one, where it has a list
// of its own: OLD NEW. It can be repeated.
func renamed(ctx context.Context, c *plug.C) error {
	a, err := app.Find(c.Settings().Root(), c.Arg(1))
	if err != nil {
		return err
	}
	if err := app.CheckName(c.Arg(0)); err != nil {
		return err
	}
	unlock, err := lock(ctx, c)
	if err != nil {
		return err
	}
	defer unlock()
	own, had, err := hosts.Own(a)
	if err != nil || !had {
		return err
	}
	before, err := hosts.Defaults(ctx, c, app.App{Name: c.Arg(0), Root: a.Root})
	if err != nil {
		return err
	}
	after, err := hosts.Defaults(ctx, c, a)
	if err != nil {
		return err
	}
	var names []string
	replaced := false
	for _, name := range own {
		if !hosts.Has(before, name) {
			if !hosts.Has(names, name) {
				names = append(names, name)
			}
			continue
		}
		if replaced {
			continue
		}
		replaced = true
		for _, n := range after {
			if owner, err := hosts.Owner(ctx, c, a, n); err != nil {
				return err
			} else if owner != "" {
				c.Warn("cannot give %q to %s: app %q has that name", n, a.Name, owner)
			} else if !hosts.Has(names, n) {
				names = append(names, n)
			}
		}
	}
	if !replaced {
		return nil
	}
	return write(a.Path(hosts.File), append([]string{}, names...))
}
