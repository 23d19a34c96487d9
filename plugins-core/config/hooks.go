package config

import (
	"context"
	"path/filepath"

	"github.com/dokku-go/dokku/plugins-core/plug"
)

func getHook(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	return printValue(c, &target{app: a, file: a.Path("ENV")}, c.Arg(1))
}

func getGlobalHook(_ context.Context, c *plug.C) error {
	root := c.Settings().Root()
	return printValue(c, &target{file: filepath.Join(root, "ENV")}, c.Arg(0))
}

func setHook(ctx context.Context, c *plug.C) error { return hook(ctx, c, (*target).set) }

func unsetHook(ctx context.Context, c *plug.C) error { return hook(ctx, c, (*target).unset) }

// hook reads [--no-restart] APP WORD... for f.
func hook(ctx context.Context, c *plug.C, f func(*target, context.Context, *plug.C) error) error {
	args := c.Args
	t := &target{}
	if len(args) > 0 && args[0] == "--no-restart" {
		t.noRestart, args = true, args[1:]
	}
	c.Args = args
	a, err := c.App(0)
	if err != nil {
		return err
	}
	t.app, t.file, t.words = a, a.Path("ENV"), args[min(1, len(args)):]
	return f(t, ctx, c)
}
