package nginxvhosts

import (
	"context"
	"errors"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// renamed has the app's properties follow to its new name, and that its containers were brought up since the boot: they
// answer as soon as nginx knows the name. OLD NEW.
func renamed(_ context.Context, c *plug.C) error {
	a, err := c.App(1)
	if err != nil {
		return err
	}
	if err := property.Move(c.Settings(), pluginName, c.Arg(0), a.Name); err != nil {
		return err
	}
	old := &site{c: c, s: c.Settings(), app: app.App{Name: c.Arg(0), Root: a.Root}}
	if !exists(old.readyFile()) {
		return nil
	}
	return (&site{c: c, s: c.Settings(), app: a}).markReady()
}

// forgetOld removes what nginx needed to serve an app by the name that it had: OLD NEW. As long as nginx has not loaded
// what serves it by the new one, it goes by the old switch files.
func forgetOld(ctx context.Context, c *plug.C) error {
	a, err := c.App(1)
	if err != nil {
		return err
	}
	if err := app.CheckName(c.Arg(0)); err != nil {
		return err
	}
	now := &site{c: c, s: c.Settings(), app: a}
	unlock, err := now.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if !now.isGone() && !exists(now.loadedFile()) {
		return nil
	}
	old := &site{c: c, s: c.Settings(), app: app.App{Name: c.Arg(0), Root: a.Root}}
	return errors.Join(old.removeSwitches(), record.Remove(old.groupsFile()), record.Remove(old.loadedFile()),
		record.Remove(old.downFile()), record.Remove(old.readyFile()), record.Remove(old.imageFile()), record.Remove(old.waitingFile()), record.Remove(old.quarantineFile()))
}

// repoint is [app.App.Repoint] of all apps. Where that fails nginx says what it cannot read.
func (h *host) repoint() {
	names, err := app.List(h.s.Root())
	for _, name := range names {
		err = errors.Join(err, app.App{Name: name, Root: h.s.Root()}.Repoint())
	}
	if err != nil {
		h.c.Warn("%v", err)
	}
}
