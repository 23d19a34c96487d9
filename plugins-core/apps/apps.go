// Package apps is the plugin that makes, lists and destroys apps.
package apps

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "apps",
		Description: "makes, lists and destroys apps",
		Hooks: map[string]plug.Hook{
			"report":           reporter().Hook,
			"app-create":       create,
			"app-maybe-create": maybeCreate,
			"app-destroy":      destroyHook,
			"app-exists":       exists,
			"app-list":         list,
			"doctor-check":     plug.Diagnose([]string{"records", "locks", "secrets", "leftovers"}, diagnose),
		},
		Commands: []plug.Command{
			{Name: "apps", Same: "apps:list", Help: "List the apps", Run: list},
			{Name: "apps:list", Help: "List the apps", Run: list},
			{Name: "apps:create", Args: "APP", Help: "Create an empty app", Run: createVerb},
			{Name: "apps:destroy", Args: "[--force] APP", Help: "Delete an application", Run: destroyVerb},
			{Name: "apps:clone", Args: "[--skip-deploy] [--ignore-existing] APP NEW-NAME", Help: "Make a copy of an app under another name", Run: cloneVerb},
			{Name: "apps:rename", Args: "[--skip-deploy] APP NEW-NAME", Help: "Give an app another name", Run: renameVerb},
			{Name: "apps:report", Args: reporter().Args(), Help: "Show where applications lie and whether they are locked", Run: reporter().Run},
			{Name: "apps:exists", Args: "APP", Help: "Tell by the status whether an app exists", Run: exists},
			{Name: "apps:lock", Raw: true, Args: "APP [MESSAGE]", Help: "Keep everybody from deploying an app", Run: lock},
			{Name: "apps:locked", Args: "APP", Help: "Tell by the status whether an app is locked by apps:lock", Run: locked},
			{Name: "apps:unlock", Args: "APP", Help: "Let an app be deployed again", Run: unlock},
			{Name: "delete", Same: "apps:destroy", Args: "[--force] APP", Help: "Delete an application", Run: destroyVerb},
		},
	}
}

func list(_ context.Context, c *plug.C) error {
	names, err := app.List(c.Settings().Root())
	if err != nil {
		return err
	}
	for _, name := range names {
		fmt.Fprintln(c.Stdout, name)
	}
	return nil
}

func exists(_ context.Context, c *plug.C) error {
	_, err := c.App(0)
	return err
}

func createVerb(ctx context.Context, c *plug.C) error {
	if len(c.Args) != 1 {
		return c.Usage("cannot create an app: give one name")
	}
	if err := create(ctx, c); err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "Creating %s... done\n", c.Args[0])
	return nil
}

// create makes the app's directory; the plugins that need something in it are told by post-create.
func create(ctx context.Context, c *plug.C) error {
	a := app.App{Name: c.Arg(0), Root: c.Settings().Root()}
	if err := app.CheckName(a.Name); err != nil {
		return err
	}
	return a.Create(func() error { return c.Trigger(ctx, "post-create", a.Name) })
}

// maybeCreate makes the app that a first push names.
func maybeCreate(ctx context.Context, c *plug.C) error {
	a := app.App{Name: c.Arg(0), Root: c.Settings().Root()}
	if err := app.CheckName(a.Name); err != nil {
		return err
	}
	if a.Exists() {
		return nil
	}
	return create(ctx, c)
}

func destroyVerb(ctx context.Context, c *plug.C) error {
	force := c.Settings().On(settings.ForceDelete)
	var words []string
	for _, arg := range c.Args {
		switch {
		case arg == "--force" || arg == "force" && len(words) > 0:
			force = true
		case strings.HasPrefix(arg, "-"):
			return c.Usage("cannot destroy an app: unknown option %q", arg)
		default:
			words = append(words, arg)
		}
	}
	c.Args = words
	if len(words) == 0 {
		return c.Usage("Please specify an app to delete")
	}
	if len(words) > 1 {
		return c.Usage("cannot destroy %d apps at once: name one", len(words))
	}
	a, err := c.App(0)
	if err != nil {
		if found, graveErr := removeGrave(ctx, c, c.Arg(0)); found {
			return graveErr
		}
		return err
	}
	if !force && a.State(app.DestroyingFile) == "" {
		if err := confirm(c, a.Name); err != nil {
			return err
		}
	}
	return c.Seize(ctx, a, func(c *plug.C) error { return destroy(ctx, c, a) })
}

func destroyHook(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	return c.Seize(ctx, a, func(c *plug.C) error { return destroy(ctx, c, a) })
}

// confirm asks for the app's name before it is gone for good.
func confirm(c *plug.C, name string) error {
	fmt.Fprintf(c.Stderr, " !     WARNING: Potentially Destructive Action\n"+
		" !     This command will destroy %s (including all add-ons).\n"+
		" !     To proceed, type %q\n> ", name, name)
	answer := ""
	if c.Stdin != nil {
		line, err := bufio.NewReader(io.LimitReader(c.Stdin, 1024)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		answer = strings.TrimSpace(line)
	}
	fmt.Fprintln(c.Stderr)
	if answer != name {
		//lint:ignore ST1005 scripts know this text
		return fmt.Errorf("Confirmation did not match %s. Aborted.", name)
	}
	return nil
}

// destroy takes the app down: containers first, then what plugins keep, then the images and the directory. Each step
// can be repeated; from the first on the directory is marked, so that a call which comes after a crash, a recovery or a
// boot among them, carries it through.
func destroy(ctx context.Context, c *plug.C, a app.App) error {
	fmt.Fprintf(c.Stdout, "Destroying %s (including all add-ons)\n", a.Name)
	again := a.State(app.DestroyingFile) != ""
	forgetOldName, err := deploy.FollowToGrave(ctx, c, a)
	if err != nil {
		return err
	}
	scheduler, err := deploy.SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	if err := c.Trigger(ctx, "pre-delete", a.Name, deploy.LatestTag); err != nil {
		return err
	}
	if err := deploy.Unreserve(c.Settings(), a); err != nil {
		return err
	}
	// A full disk is a reason to destroy an app, and no hindrance.
	if err := a.SetState(app.DestroyingFile, "destroyed by apps:destroy"); err != nil && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	failpoint.Hit(failpoint.DestroyBegun)
	if err := c.Trigger(ctx, "scheduler-stop", scheduler, a.Name, "true"); err != nil {
		if !again { // it was told, and does not happen later by itself
			err = errors.Join(err, a.SetState(app.DestroyingFile, ""))
		}
		return err
	}
	failpoint.Hit(failpoint.DestroyStopped)
	if err := c.Trigger(ctx, "proxy-clear-config", a.Name); err != nil {
		return err
	}
	failpoint.Hit(failpoint.DestroyCleared)
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	// post-delete comes while the directory is there, because plugins look into it, and is not asked for permission.
	errs := []error{forgetOldName(), c.Trigger(ctx, "post-delete", a.Name, deploy.LatestTag)}
	images, err := engine.AppImages(ctx, a)
	errs = append(errs, err)
	for _, ref := range images {
		errs = append(errs, engine.RemoveImage(ctx, ref))
	}
	failpoint.Hit(failpoint.DestroyImages)
	errs = append(errs, removeDir(ctx, c, engine, a))
	if err := release.Tell(c.Settings(), release.Event{App: a.Name, What: "destroyed", By: c.Getenv("SSH_NAME")}); err != nil {
		c.Warn("%v", err) // it is gone all the same
	}
	return errors.Join(errs...)
}

// removeDir renames the directory first, so that no half of it is ever taken for an app.
func removeDir(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	fail := func(err error) error { return fmt.Errorf("cannot remove %q: %w", a.Dir(), err) }
	stack := c.Settings().StackImage()
	if err := engine.RemoveTree(ctx, a.Name, a.Grave(), stack); err != nil { // of an earlier app of that name
		return fail(err)
	}
	err := record.Rename(a.Dir(), a.Grave())
	if err != nil && a.Exists() {
		return err
	}
	failpoint.Hit(failpoint.DestroyRenamed)
	// The hooks last: they refuse a push that git has begun to receive in here, as long as there is a place to receive it.
	entries, _ := os.ReadDir(a.Grave()) // what is wrong with it is told below
	for _, e := range entries {
		if e.Name() != "hooks" {
			_ = engine.RemoveTree(ctx, a.Name, filepath.Join(a.Grave(), e.Name()), stack)
		}
	}
	if treeErr := engine.RemoveTree(ctx, a.Name, a.Grave(), stack); treeErr != nil {
		err = errors.Join(err, fail(treeErr))
	}
	return err
}

// removeGrave removes what a crash at the end of its destruction has left of an app; found tells whether there was any.
func removeGrave(ctx context.Context, c *plug.C, name string) (found bool, err error) {
	a := app.App{Name: name, Root: c.Settings().Root()}
	if app.CheckName(name) != nil {
		return false, nil
	}
	if _, err := os.Lstat(a.Grave()); err != nil {
		return false, nil
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return true, err
	}
	defer engine.Close()
	fmt.Fprintf(c.Stdout, "Destroying what is left of %s\n", name)
	return true, engine.RemoveTree(ctx, a.Name, a.Grave(), c.Settings().StackImage())
}
