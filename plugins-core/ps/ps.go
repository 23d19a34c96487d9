// Package ps is the plugin that shows, starts and stops the processes of apps.
package ps

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	releases "github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

const pluginName = "ps"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "shows, starts and stops the processes of apps",
		Hooks: map[string]plug.Hook{
			"app-restart": func(ctx context.Context, c *plug.C) error {
				return each(ctx, c, func(ctx context.Context, c *plug.C, a app.App) error { return deploy.Restart(ctx, c, a, "restart") })
			},
			"release-and-deploy":    releaseAndDeploy,
			"deploy":                deployHook,
			"ps-current-scale":      currentScale,
			"ps-get-property":       getProperty,
			"report":                reporter().Hook,
			"post-delete":           plug.DestroyProperties(pluginName),
			"post-app-clone-setup":  plug.CloneProperties(pluginName),
			"post-app-rename-setup": plug.MoveProperties(pluginName),
		},
		Commands: []plug.Command{
			{Name: "ps", Args: "APP", Help: "List the processes of an application", Run: list},
			{Name: "ls", Help: "List the containers of all applications", Run: listAll},
			{Name: "ps:report", Args: reporter().Args(), Help: "Show how the processes of applications are run", Run: reporter().Run},
			{Name: "ps:inspect", Args: "APP", Help: "Show what the engine knows of an application's containers", Run: inspect},
			{Name: "ps:set", Args: "APP restart-policy [VALUE]", Help: "Set when containers are started again", Run: set},
			{Name: "ps:set-restart-policy", Same: "ps:set", Args: "APP VALUE", Help: "Set when containers are started again", Run: setPolicy},
			{Name: "ps:restart", Args: "APP|--all", Help: "Start an application's containers anew", Run: verb(restart)},
			{Name: "ps:start", Args: "APP|--all", Help: "Start a stopped application", Run: verb(start)},
			{Name: "ps:stop", Args: "APP|--all", Help: "Stop an application", Run: verb(stop)},
			{Name: "ps:rebuild", Args: "APP|--all", Help: "Build an application again from its code", Run: verb(rebuild)},
			{Name: "ps:restore", Args: "[APP]", Help: "Start every application that ran before (at boot)", Run: restore},
			{Name: "ps:scale", Args: "APP [PROCESS=COUNT ...]", Help: "Show or set how many processes run", Run: scaleVerb},
			{Name: "deploy", Args: "APP", Run: verb(deployVerb)},
			{Name: "release", Args: "APP", Run: verb(release)},
			{Name: "deploy:all", Help: "Deploy every application again", Run: func(ctx context.Context, c *plug.C) error {
				if len(c.Args) > 0 {
					return c.Usage("cannot use %q: too many words", c.Args[0])
				}
				return all(ctx, c, deployed(deployVerb))
			}},
		},
	}
}

type action func(ctx context.Context, c *plug.C, a app.App) error

func each(ctx context.Context, c *plug.C, f action) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	return f(ctx, c, a)
}

// verb makes a verb of what is done to one app; --all does it to every app and reports each failure.
func verb(f action) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		if len(c.Args) > 1 {
			return c.Usage("cannot use %q: too many words", c.Args[1])
		}
		if c.Arg(0) == "--all" {
			return all(ctx, c, deployed(f))
		}
		return each(ctx, c, f)
	}
}

// all does f to every app, a few at the same time; one that fails does not keep the others from it.
func all(ctx context.Context, c *plug.C, f action) error {
	names, err := app.List(c.Settings().Root())
	if err != nil {
		return err
	}
	failed, err := deploy.Each(ctx, c, names, f)
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("cannot run %s for %d of %d apps: %s; see above", c.Verb(), len(failed), len(names), strings.Join(failed, ", "))
	}
	return err
}

// deployed passes over apps that were never deployed, and says whose turn it is.
func deployed(f action) action {
	return func(ctx context.Context, c *plug.C, a app.App) error {
		if !deploy.Deployed(a) {
			return nil
		}
		c.Info2("%s", a.Name)
		return f(ctx, c, a)
	}
}

func locked(f action) action {
	return func(ctx context.Context, c *plug.C, a app.App) error {
		return c.Lock(ctx, a, func(c *plug.C) error { return f(ctx, c, a) })
	}
}

func restart(ctx context.Context, c *plug.C, a app.App) error {
	if !deploy.Deployed(a) {
		return fmt.Errorf("cannot restart %q: it was never deployed", a.Name)
	}
	return deploy.Restart(ctx, c, a, "restart")
}

func deployVerb(ctx context.Context, c *plug.C, a app.App) error {
	return locked(func(ctx context.Context, c *plug.C, a app.App) error {
		return deploy.Start(ctx, c, a, deploy.Source{Tag: deploy.LatestTag, Cause: "deploy"})
	})(ctx, c, a)
}

func deployHook(ctx context.Context, c *plug.C) error {
	return each(ctx, c, locked(func(ctx context.Context, c *plug.C, a app.App) error { return deploy.Start(ctx, c, a, source(c)) }))
}

func releaseAndDeploy(ctx context.Context, c *plug.C) error {
	return each(ctx, c, locked(func(ctx context.Context, c *plug.C, a app.App) error {
		return deploy.ReleaseAndDeploy(ctx, c, a, source(c))
	}))
}

// source is the image that a plugin asks for by its tag.
func source(c *plug.C) deploy.Source {
	s := deploy.Source{Tag: c.Arg(1), Cause: "deploy"}
	if s.Tag == "" {
		s.Tag = deploy.LatestTag
	}
	return s
}

// release does what there is to do between build and deploy. Variables are given to containers when they start, so
// for core there is nothing; plugins are told.
func release(ctx context.Context, c *plug.C, a app.App) error {
	return deploy.Release(ctx, c, a, deploy.LatestTag)
}

func start(ctx context.Context, c *plug.C, a app.App) error {
	return locked(func(ctx context.Context, c *plug.C, a app.App) error {
		if !deploy.Deployed(a) {
			return fmt.Errorf("cannot start %q: it was never deployed", a.Name)
		}
		if err := c.Trigger(ctx, "pre-start", a.Name); err != nil {
			return err
		}
		return deploy.Start(ctx, c, a, deploy.Source{Tag: deploy.LatestTag, Cause: "start"})
	})(ctx, c, a)
}

func stop(ctx context.Context, c *plug.C, a app.App) error {
	return locked(func(ctx context.Context, c *plug.C, a app.App) error {
		scheduler, err := deploy.SchedulerOf(ctx, c, a)
		if err != nil {
			return err
		}
		stopped := releases.Stopped(a)
		if err := releases.MarkStopped(a); err != nil {
			return err
		}
		c.Info1("Stopping %s ...", a.Name)
		if err := c.Trigger(ctx, "scheduler-stop", scheduler, a.Name, "false"); err != nil {
			if !stopped {
				err = errors.Join(err, a.SetState(app.StoppedFile, "")) // a boot is not to do what could not be done now
			}
			return err
		}
		return c.Trigger(ctx, "post-stop", a.Name)
	})(ctx, c, a)
}

func rebuild(ctx context.Context, c *plug.C, a app.App) error {
	return locked(func(ctx context.Context, c *plug.C, a app.App) error {
		branch, err := c.FirstLine(ctx, "git-deploy-branch", a.Name)
		if err != nil {
			return err
		}
		rev, err := proc.Output(ctx, proc.Cmd{Args: []string{"git", "rev-parse", "--verify", "--quiet", "refs/heads/" + branch}, Env: c.Env, Dir: a.Dir()})
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("cannot rebuild %q: nothing was pushed to %s yet", a.Name, branch)
		}
		if err != nil {
			return err
		}
		// Who rebuilds does so because something has changed that is not in the source.
		return c.With(deploy.CauseEnv, "rebuild").With(settings.ForceBuild, "1").Trigger(ctx, "receive-app", a.Name, strings.TrimSpace(rev))
	})(ctx, c, a)
}

// restore brings back what ran before the host went down. Plugins are told of all apps before the first of them comes,
// one after another, since two apps may need the same thing of a plugin.
func restore(ctx context.Context, c *plug.C) error {
	if len(c.Args) > 1 {
		return c.Usage("cannot use %q: too many words", c.Args[1])
	}
	if len(c.Args) > 0 {
		return each(ctx, c, func(ctx context.Context, c *plug.C, a app.App) error {
			if err := preRestore(ctx, c, a); err != nil {
				return err
			}
			return deploy.RecoverLocked(ctx, c, a)
		})
	}
	names, err := app.List(c.Settings().Root())
	if err != nil {
		return err
	}
	var failed []string
	for _, name := range names {
		if err := preRestore(ctx, c, app.App{Name: name, Root: c.Settings().Root()}); err != nil {
			_ = plug.Report(c.Stderr, "", err)
			failed = append(failed, name)
		}
	}
	return deploy.RecoverAll(ctx, c, failed...)
}

// preRestore tells the plugins of an app that is to come back.
func preRestore(ctx context.Context, c *plug.C, a app.App) error {
	if !deploy.Deployed(a) || releases.Stopped(a) || a.State(app.DestroyingFile) != "" {
		return nil
	}
	scheduler, err := deploy.SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	return c.Trigger(ctx, "pre-restore", scheduler, a.Name)
}

func list(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	scheduler, err := deploy.SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	return c.Trigger(ctx, "scheduler-app-status", scheduler, a.Name)
}

func currentScale(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	counts, err := scale.Read(a)
	if err != nil {
		return err
	}
	fmt.Fprint(c.Stdout, scale.Format(counts))
	return nil
}

func scaleVerb(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) < 2 {
		counts, err := scale.Read(a)
		if err != nil {
			return err
		}
		c.Info1("Scaling for %s", a.Name)
		for _, p := range counts {
			c.Info1("%-15s %d", p.Type, p.Count)
		}
		return nil
	}
	if _, err := scaled(c, nil); err != nil {
		return err
	}
	// A hook of a deploy sets what that deploy, or the next, starts; else one lock is over reading, writing and the restart,
	// so that of two calls at the same time neither is lost.
	if a.HeldByAncestor(c.Getenv(app.LockTokenEnv)) {
		return setScale(c, a, func() error { return deploy.Restart(ctx, c, a, "scale") })
	}
	return c.Lock(ctx, a, func(c *plug.C) error {
		return setScale(c, a, func() error { return deploy.RestartLocked(ctx, c, a, "scale") })
	})
}

// scaled is counts with what the words of the call change.
func scaled(c *plug.C, counts []scale.Process) ([]scale.Process, error) {
	counts = slices.Clone(counts)
	for _, word := range c.Args[1:] {
		name, count, ok := strings.Cut(word, "=")
		n, err := strconv.Atoi(count)
		if !ok || err != nil || n < 0 || n > scale.Max || !scale.ValidType(name) {
			return nil, c.Usage("cannot scale by %q: give PROCESS=COUNT with a count of 0 to %d", word, scale.Max)
		}
		i := slices.IndexFunc(counts, func(p scale.Process) bool { return p.Type == name })
		if i < 0 {
			counts = append(counts, scale.Process{Type: name, Count: n})
		} else {
			counts[i].Count = n
		}
	}
	return counts, nil
}

func setScale(c *plug.C, a app.App, restart func() error) error {
	before, err := scale.Read(a)
	if err != nil {
		return err
	}
	counts, err := scaled(c, before)
	if err != nil {
		return err
	}
	if err := scale.Write(a, counts); err != nil {
		return err
	}
	c.Info1("Scaling %s", a.Name)
	if err := restart(); err != nil {
		// What cannot run must not stand in the way of the next deploy.
		return errors.Join(err, scale.Write(a, before))
	}
	return nil
}
