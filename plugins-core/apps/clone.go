package apps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// clone is a copy of an app on its way.
type clone struct {
	from, to app.App
	current  *release.Release // of from; nil: none
}

func cloneVerb(ctx context.Context, c *plug.C) error {
	on, to, err := pair(c, "clone", "--skip-deploy", "--ignore-existing")
	if err != nil {
		return err
	}
	from, err := c.App(0)
	if err != nil {
		return err
	}
	if to.State(app.DestroyingFile) != "" { // what somebody has left who was killed
		if err := deploy.RecoverLocked(ctx, c, to); err != nil {
			return err
		}
	}
	cl := &clone{from: from, to: to}
	err = &app.TakenError{Name: to.Name}
	if !to.Exists() {
		err = cl.begin(ctx, c, on["--skip-deploy"])
	}
	var taken *app.TakenError
	if errors.As(err, &taken) && on["--ignore-existing"] {
		c.Info1("%s exists already, so nothing is cloned", to.Name)
		return nil
	}
	return err
}

// begin copies the app to a place where it is none, which then gets its name. From that moment until all is copied the
// new app is marked as one that is being destroyed: who comes after a crash does that. The lock goes with the directory.
func (cl *clone) begin(ctx context.Context, c *plug.C, skipDeploy bool) error {
	draft := cl.to.Draft()
	if err := record.Mkdir(draft.Dir(), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return c.Seize(ctx, draft, func(held *plug.C) error {
		err := empty(draft)
		if err == nil { // without the lock of the copy, whose token would hide that an ancestor has this one
			err = c.Lock(ctx, cl.from, func(*plug.C) error { return cl.copyTo(draft) })
		}
		if err == nil {
			failpoint.Hit(failpoint.CloneCopied)
			err = draft.Rename(cl.to)
		}
		if err != nil {
			return errors.Join(err, record.RemoveAll(draft.Dir()))
		}
		failpoint.Hit(failpoint.CloneMoved)
		if err := cl.furnish(ctx, held); err != nil {
			quiet := held.WithOutput(io.Discard, held.Stderr)
			return errors.Join(err, quiet.Trigger(context.WithoutCancel(ctx), "app-destroy", cl.to.Name))
		}
		return cl.deploy(ctx, held, skipDeploy)
	})
}

// empty removes what somebody has left in a draft who died.
func empty(draft app.App) error {
	entries, err := os.ReadDir(draft.Dir())
	if err != nil {
		return fmt.Errorf("cannot read %q: %w", draft.Dir(), err)
	}
	for _, e := range entries {
		if e.Name() == ".build.lock" || e.Name() == ".queue" {
			continue
		}
		if err := record.RemoveAll(draft.Path(e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (cl *clone) copyTo(draft app.App) error {
	current, err := release.Current(cl.from)
	if err != nil {
		return err
	}
	cl.current = current
	if err := cl.from.CopyTo(draft); err != nil {
		return fmt.Errorf("cannot clone %q: %w", cl.from.Name, err)
	}
	return draft.SetState(app.DestroyingFile, "apps:clone has not ended")
}

// furnish gives the new app what plugins keep of it, and the image.
func (cl *clone) furnish(ctx context.Context, c *plug.C) error {
	c.Info1("Cloning %s to %s", cl.from.Name, cl.to.Name)
	if err := c.Trigger(ctx, "post-create", cl.to.Name); err != nil {
		return err
	}
	if err := c.Trigger(ctx, "post-app-clone-setup", cl.from.Name, cl.to.Name); err != nil {
		return err
	}
	failpoint.Hit(failpoint.CloneFollowed)
	if cl.current != nil {
		engine, err := dockerapi.New(c.Settings())
		if err != nil {
			return err
		}
		defer engine.Close()
		if err := engine.Tag(ctx, cl.current.Image, cl.to.Image(deploy.LatestTag)); err != nil {
			return err
		}
	}
	if err := release.Tell(c.Settings(), release.Event{App: cl.to.Name, What: "cloned", Text: "from " + cl.from.Name, By: c.Getenv("SSH_NAME")}); err != nil {
		c.Warn("%v", err)
	}
	return cl.to.SetState(app.DestroyingFile, "")
}

// deploy puts the copy in service. Whether that succeeds or not, it is an app of its own now.
func (cl *clone) deploy(ctx context.Context, c *plug.C, skip bool) error {
	if cl.current != nil && !skip {
		r := cl.current
		s := deploy.Source{Tag: deploy.LatestTag, Cause: "clone", Revision: r.Revision}
		if err := deploy.ReleaseAndDeploy(ctx, c.With(deploy.BranchEnv, r.Branch), cl.to, s); err != nil {
			return err
		}
		c.Info2("Application deployed:")
		if url := cl.to.State("URL"); url != "" {
			c.Verbose("%s", url)
		}
	}
	return c.Trigger(ctx, "post-app-clone", cl.from.Name, cl.to.Name)
}
