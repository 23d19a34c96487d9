package apps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// pair reads the words of a verb about an app and another name: options, the app, the name. It takes the options out of
// the words; on tells which were given.
func pair(c *plug.C, doing string, options ...string) (on map[string]bool, to app.App, err error) {
	on = map[string]bool{}
	var words []string
	for _, word := range c.Args {
		switch known := false; {
		case strings.HasPrefix(word, "-"):
			for _, option := range options {
				known = known || word == option
			}
			if !known {
				return nil, to, c.Usage("cannot %s an app: unknown option %q", doing, word)
			}
			on[word] = true
		default:
			words = append(words, word)
		}
	}
	if len(words) != 2 {
		return nil, to, c.Usage("cannot %s an app: give its name and the new one", doing)
	}
	c.Args = words
	to = app.App{Name: words[1], Root: c.Settings().Root()}
	return on, to, app.CheckName(to.Name)
}

func renameVerb(ctx context.Context, c *plug.C) error {
	on, to, err := pair(c, "rename", "--skip-deploy")
	if err != nil {
		return err
	}
	a, err := c.App(0)
	if err != nil {
		if from, name := to.Renaming(); from == c.Arg(0) && name == to.Name { // once more, after a crash
			return deploy.RecoverLocked(ctx, c, to)
		}
		return err
	}
	if to.Exists() {
		return &app.TakenError{Name: to.Name}
	}
	if a.HeldByAncestor(c.Getenv(app.LockTokenEnv)) {
		return fmt.Errorf("cannot rename %s: whoever runs this works on it under its old name", a.Name)
	}
	return c.Lock(ctx, a, func(c *plug.C) error { return rename(ctx, c, a, to, on["--skip-deploy"]) })
}

// rename gives the app another name. That is one step, the renaming of its directory; all else follows from it, also
// after a crash (see [deploy.Follow]). Its containers go on serving until a deploy has made new ones, which is the last
// and may fail as any other.
func rename(ctx context.Context, c *plug.C, a, to app.App, skipDeploy bool) error {
	if err := deploy.RefuseLocked(a, "rename"); err != nil {
		return err
	}
	if from, _ := a.Renaming(); from != "" {
		return fmt.Errorf("cannot rename %s: it is not served by this name yet, run: dokku recover %s", a.Name, a.Name)
	}
	if err := namesFree(ctx, c, a, to); err != nil {
		return err
	}
	if err := a.SetState(app.RenamingFile, a.Name+" "+to.Name); err != nil {
		return err
	}
	failpoint.Hit(failpoint.RenameBegun)
	if err := move(ctx, c, a, to); err != nil {
		return errors.Join(err, a.SetState(app.RenamingFile, ""))
	}
	failpoint.Hit(failpoint.RenameMoved)
	ctx = context.WithoutCancel(ctx) // who has begun to move goes on
	c.Info1("Renaming %s to %s", a.Name, to.Name)
	deploys := !skipDeploy && !release.Stopped(to)
	err := deploy.Follow(ctx, c, to)
	var unserved *deploy.UnservedError
	if errors.As(err, &unserved) && deploys { // which may mend it
		_ = plug.Report(c.Stderr, "", err)
		err = nil
	}
	if err != nil {
		return err
	}
	if deploys {
		err = deploy.RestartLocked(ctx, c, to, "rename")
	}
	if !to.Unserved() {
		err = errors.Join(err, deploy.Followed(ctx, c, to))
	}
	if err != nil {
		return err
	}
	c.Info1("%s is %s now", a.Name, to.Name)
	if url := to.State("URL"); url != "" {
		c.Verbose("%s", url)
	}
	return nil
}

// move renames the directory at a moment when nobody has nginx read what is in it.
func move(ctx context.Context, c *plug.C, a, to app.App) error {
	unlock, err := hosts.LockNginx(ctx, c.Settings())
	if err != nil {
		return err
	}
	defer unlock()
	if err := a.Rename(to); err != nil {
		return err
	}
	_ = to.Repoint() // else whoever takes the lock next does it, and says what is wrong
	return nil
}

// namesFree refuses a new name under which the app would get host names that another app has.
func namesFree(ctx context.Context, c *plug.C, a, to app.App) error {
	own, had, err := hosts.Own(a)
	if err != nil {
		return err
	}
	if had {
		before, err := hosts.Defaults(ctx, c, a)
		if err != nil {
			return err
		}
		uses := false
		for _, name := range own {
			uses = uses || hosts.Has(before, name)
		}
		if !uses {
			return nil
		}
	}
	names, err := hosts.Defaults(ctx, c, to)
	if err != nil {
		return err
	}
	for _, name := range names {
		owner, err := hosts.Owner(ctx, c, a, name)
		if err != nil {
			return err
		}
		if owner != "" {
			return fmt.Errorf("cannot rename %s to %s: app %q has the name %s", a.Name, to.Name, owner, name)
		}
	}
	return nil
}
