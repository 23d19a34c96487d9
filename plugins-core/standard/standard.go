// Package standard is the plugin of the verbs that belong to no other: version, url, cleanup, and the ones of 2014 that
// take a source tree as a tar.
package standard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
	"github.com/dokku-go/dokku/plugins-core/internal/workdir"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "standard",
		Description: "version, url, cleanup and deploys of a tar",
		Commands: []plug.Command{
			{Name: "version", Help: "Print dokku's version", Run: version, Aliases: []string{"-v", "--version"}},
			{Name: "url", Args: "APP", Help: "Show the URL for an application", Run: url("URL")},
			{Name: "urls", Args: "APP", Help: "Show all URLs for an application", Run: url("URLS")},
			{Name: "completion", Args: "bash|zsh|fish", Help: "Print a script that has a shell complete words", Run: completion},
			{Name: "cleanup", Args: "[APP]", Help: "Remove what builds and runs of ours have left", Run: cleanup},
			{Name: "trace:on", Help: "Show each command line of hooks from now on", Run: trace(true)},
			{Name: "trace:off", Help: "Show command lines of hooks no more", Run: trace(false)},
			{Name: "report", Args: "[APP]", Help: "Show what is to be known of this host and of applications", Run: report},
			{Name: "receive", Args: "[--force] APP", Run: receive},
			{Name: "build", Args: "APP", Run: build},
		},
	}
}

func version(_ context.Context, c *plug.C) error {
	fmt.Fprintln(c.Stdout, versionOf(c))
	return nil
}

func versionOf(c *plug.C) string {
	data, err := os.ReadFile(filepath.Join(c.Settings().Root(), "VERSION"))
	if err == nil {
		return strings.TrimSpace(string(data))
	}
	return plug.Version()
}

func url(file string) plug.Hook {
	return func(_ context.Context, c *plug.C) error {
		if len(c.Args) > 1 {
			return c.Usage("cannot show the URL of %d apps: name one", len(c.Args))
		}
		a, err := c.App(0)
		if err != nil {
			return err
		}
		if text := a.State(file); text != "" {
			fmt.Fprintln(c.Stdout, text)
		}
		return nil
	}
}

// cleanup removes what is ours and of no use: ended containers of builds and runs, images that lost their name. What
// others have on the same engine is not touched.
func cleanup(ctx context.Context, c *plug.C) error {
	name, words := "", []string{}
	if len(c.Args) > 1 {
		return c.Usage("cannot clean up after %d apps: name one, or none for all", len(c.Args))
	}
	if len(c.Args) > 0 {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		name, words = a.Name, []string{a.Name}
	}
	// What no rollback needs loses its name first, and is then like all that has none.
	if err := c.Trigger(ctx, "core-prune", words...); err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	containers, err := engine.PruneContainers(ctx, name)
	if err != nil {
		return err
	}
	if err := engine.SweepClaims(ctx); err != nil {
		return err
	}
	if err := c.Trigger(ctx, "core-prune", words...); err != nil {
		return err
	}
	images, bytes, err := engine.PruneImages(ctx, name)
	if err != nil {
		return err
	}
	c.Info1("Removed %d containers and %d images, %.1f MB", containers, images, float64(bytes)/1e6)
	return nil
}

// withTree unpacks the archive on stdin and does f with it, under the app's lock.
func withTree(ctx context.Context, c *plug.C, f func(c *plug.C, a app.App, dir string) error) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if c.Stdin == nil {
		return c.Usage("cannot %s %q: give the source as a tar on stdin", c.Verb(), a.Name)
	}
	limit, err := unpack.LimitsOf(c.Settings())
	if err != nil {
		return err
	}
	tmp, err := workdir.Make(a.Name)
	if err != nil {
		return err
	}
	dir := filepath.Join(tmp.Path, "src")
	err = os.Mkdir(dir, 0o755)
	if err == nil {
		err = unpack.Into(dir, c.Stdin, limit)
	}
	if err != nil {
		err = fmt.Errorf("cannot unpack the source of %q: %w", a.Name, err)
	} else {
		err = c.Lock(ctx, a, func(c *plug.C) error { return f(c, a, dir) })
	}
	return errors.Join(err, tmp.Remove())
}

func receive(ctx context.Context, c *plug.C) error {
	return withTree(ctx, deploy.Forced(c), func(c *plug.C, a app.App, dir string) error {
		return deploy.FromDirectory(ctx, c, a, dir, "")
	})
}

// build makes the image and does not deploy it; a deploy takes it up.
func build(ctx context.Context, c *plug.C) error {
	return withTree(ctx, c, func(c *plug.C, a app.App, dir string) error {
		if _, err := deploy.Build(ctx, c.With(settings.ForceBuild, "1"), a, dir, ""); err != nil {
			return err
		}
		return deploy.MakeLatest(ctx, c, a)
	})
}
