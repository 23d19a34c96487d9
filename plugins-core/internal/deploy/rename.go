package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Follow has all that is kept under the old name of an app follow to its new one, under which its directory is already:
// containers, which go on running, images, what plugins keep, and the proxy. It can be repeated. The caller holds the
// app's lock.
func Follow(ctx context.Context, c *plug.C, a app.App) error {
	from, _ := a.Renaming()
	old := app.App{Name: from, Root: a.Root}
	if err := app.CheckName(from); err != nil {
		return fmt.Errorf("cannot rename an app to %q: %w; correct the file by hand: %s", a.Name, err, a.Path(app.RenamingFile))
	}
	fail := func(err error) error {
		if err == nil {
			return nil
		}
		return errors.Join(err, fmt.Errorf("cannot take all of %s along to its new name %s: mend what is said above, then run: dokku recover %s", from, a.Name, a.Name))
	}
	if err := followInEngine(ctx, c, old, a); err != nil {
		return fail(err)
	}
	err := c.Trigger(ctx, "post-app-rename-setup", from, a.Name)
	failpoint.Hit(failpoint.RenameFollowed)
	// A plugin that cannot follow is no reason for the app not to be served, at a boot for one.
	serveErr := serveRenamed(ctx, c, a)
	failpoint.Hit(failpoint.RenameServed)
	if err != nil || serveErr == nil {
		return fail(errors.Join(err, serveErr))
	}
	return errors.Join(serveErr, &UnservedError{App: a.Name}, a.SetUnserved())
}

// UnservedError says that all has followed an app to its new name but the proxy. It is written down: who works on the app
// is not kept from mending it, and the old name is not free until the proxy has followed.
type UnservedError struct{ App string }

func (e *UnservedError) Error() string {
	return fmt.Sprintf("cannot serve %s by its new name yet: mend what is said above, then run: dokku recover %s", e.App, e.App)
}

// serveRenamed has the proxy know a deployed app by its new name.
func serveRenamed(ctx context.Context, c *plug.C, a app.App) error {
	if !Deployed(a) {
		return nil
	}
	scheduler, err := SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	status, err := adopt(ctx, c, a, scheduler, nil)
	if err != nil || status != ContainersMissing {
		return err
	}
	if release.Stopped(a) { // the next start makes new ones
		return c.Trigger(ctx, "proxy-clear-config", a.Name)
	}
	return fmt.Errorf("cannot serve %s: not all of its containers are there any more", a.Name)
}

// followInEngine has containers and the names of images follow.
func followInEngine(ctx context.Context, c *plug.C, old, a app.App) error {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := engine.Claim(ctx, old.Name, a.Name); err != nil {
		return err
	}
	failpoint.Hit(failpoint.RenameClaimed)
	names, err := engine.AppImages(ctx, old)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := engine.Tag(ctx, name, a.Image(strings.TrimPrefix(name, old.Repository()+":"))); err != nil {
			return err
		}
		if err := engine.RemoveImage(ctx, name); err != nil {
			return err
		}
	}
	failpoint.Hit(failpoint.RenameImages)
	return nil
}

// FollowToGrave is [Follow] for an app that is about to be destroyed, which needs no proxy any more: what is still kept under
// the name that it had is to go with it. What a plugin does not let follow is removed under the old name by the function
// that it returns, which comes when the app has been taken out of the proxy; until then nobody can use that name.
func FollowToGrave(ctx context.Context, c *plug.C, a app.App) (forget func() error, err error) {
	from, to := a.Renaming()
	if to != a.Name || app.CheckName(from) != nil {
		return func() error { return nil }, nil
	}
	if err := followInEngine(ctx, c, app.App{Name: from, Root: a.Root}, a); err != nil {
		return nil, err
	}
	setupErr := c.Trigger(ctx, "post-app-rename-setup", from, a.Name)
	if setupErr != nil {
		_ = plug.Report(c.Stderr, "", setupErr)
		c.Warn("Not all of %s has followed to its new name %s: what is left is removed under the old one", from, a.Name)
	}
	return func() error {
		var err error
		if setupErr != nil {
			err = c.Trigger(ctx, "post-delete", from, LatestTag)
		}
		return errors.Join(err, Followed(ctx, c, a))
	}, nil
}

// Followed tells plugins that an app has another name now, and forgets that it had one before.
func Followed(ctx context.Context, c *plug.C, a app.App) error {
	from, _ := a.Renaming()
	if from == "" {
		return nil
	}
	err := c.Trigger(ctx, "post-app-rename", from, a.Name)
	failpoint.Hit(failpoint.RenameTold)
	if e := a.SetState(app.RenamingFile, ""); e != nil {
		return errors.Join(err, e)
	}
	tell(c, release.Event{App: a.Name, What: "renamed", Text: "from " + from})
	return err
}

// recoverRename ends what somebody has not brought to its end who gave the app another name: it goes forward when the app has the new name,
// else nothing has happened.
func recoverRename(ctx context.Context, c *plug.C, a app.App) error {
	from, to := a.Renaming()
	switch {
	case to == "":
		return nil
	case to != a.Name:
		return a.SetState(app.RenamingFile, "")
	}
	c.Info1("Renaming %s to %s was not finished: going on", from, to)
	err := Follow(ctx, c, a)
	var unserved *UnservedError
	switch {
	case errors.As(err, &unserved):
		return nil // Recover does what it can, and says what is wrong
	case err != nil:
		return err
	}
	return Followed(ctx, c, a)
}

// RefuseLocked is the error for who would change an app that is locked by hand.
func RefuseLocked(a app.App, verb string) error {
	if l := LockedBy(a); l != nil {
		return fmt.Errorf("cannot %s %s: it is %s; unlock it with: dokku apps:unlock %s", verb, a.Name, l, a.Name)
	}
	return nil
}

// sweepDrafts removes what is left of copies of apps that nobody makes any more.
func sweepDrafts(ctx context.Context, root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		name, ok := app.DraftOf(e.Name())
		if !ok {
			continue
		}
		draft := app.App{Name: name, Root: root}.Draft()
		if _, idle := draft.Idle(); idle {
			errs = append(errs, record.RemoveAll(draft.Dir()))
		}
	}
	return errors.Join(errs...)
}
