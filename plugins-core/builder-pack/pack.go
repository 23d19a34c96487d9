// Package builderpack is the plugin builder-pack: trees with a project.toml are built by Cloud Native Buildpacks.
//
// The lifecycle of the builder image runs in one container, as the specification of platforms has it (`creator`), with
// the engine's socket; there is no program beside. Today's dokku calls `pack` for that.
package builderpack

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

const (
	pluginName = "builder-pack"
	builder    = "pack" // in hooks and labels
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "builds trees with Cloud Native Buildpacks",
		Hooks: map[string]plug.Hook{
			"builder-detect":        detect,
			"builder-names":         plug.BuilderNames(builder),
			"builder-reason":        plug.BuilderReason(builder, func(c *plug.C) string { return "the source has a " + descriptorPath(c, c.Arg(1)) }),
			"builder-inputs":        mine(inputs),
			"builder-build":         mine(build),
			"builder-release":       mine(release),
			"report":                reporter().Hook,
			"post-delete":           destroyed,
			"post-app-clone-setup":  cloned,
			"post-app-rename-setup": plug.MoveProperties(pluginName),
		},
		Commands: []plug.Command{
			{Name: "builder-pack:report", Args: reporter().Args(), Help: "Show how Cloud Native Buildpacks build applications", Run: reporter().Run},
			{Name: "builder-pack:set", Args: "APP|--global projecttoml-path [PATH]", Help: "Say where an application's project.toml is", Run: set},
		},
	}
}

// mine is a hook BUILDER APP ... for builds of ours.
func mine(f func(ctx context.Context, c *plug.C, a app.App) error) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		if c.Arg(0) != builder {
			return nil
		}
		a, err := c.App(1)
		if err != nil {
			return err
		}
		return f(ctx, c, a)
	}
}

// descriptorPath is where the app's source has its project.toml.
func descriptorPath(c *plug.C, name string) string {
	if path := property.Get(c.Settings(), pluginName, name, pathKey); path != "" {
		return path
	}
	return "project.toml"
}

// detect prints our name for a tree with a project.toml: APP DIR.
func detect(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(c.Arg(1))
	if err != nil {
		return nil // there is no tree
	}
	defer root.Close()
	if st, err := root.Lstat(descriptorPath(c, a.Name)); err == nil && st.Mode().IsRegular() {
		fmt.Fprintln(c.Stdout, builder)
	}
	return nil
}

// readDescriptor reads the project.toml of a tree; one that was selected for us may have none.
func readDescriptor(c *plug.C, a app.App, dir string) (*descriptor, error) {
	path := descriptorPath(c, a.Name)
	text, err := deploy.SourceFile(dir, path)
	if err == nil {
		var d *descriptor
		if d, err = parseDescriptor(string(text)); err == nil {
			return d, nil
		}
	}
	return nil, fmt.Errorf("cannot use %s of %q: %w", path, a.Name, err)
}

// inputs prints what a build depends on beside its tree: BUILDER APP DIR.
func inputs(ctx context.Context, c *plug.C, a app.App) error {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	b, err := prepare(ctx, c.WithOutput(c.Stdout, io.Discard), engine, a, c.Arg(2))
	if err != nil {
		return nil // the build says so
	}
	deploy.Inputs(c, []string{b.toolbox.id, b.toolbox.runID, b.toolbox.api, descriptorPath(c, a.Name)}, b.env, deploy.HostVariables(c))
	return nil
}

func release(ctx context.Context, c *plug.C, a app.App) error {
	return deploy.ReleaseHooks(ctx, c, a, builder, "pack", c.Arg(2))
}

func build(ctx context.Context, c *plug.C, a app.App) error {
	dir := c.Arg(2)
	if err := deploy.PreBuild(ctx, c, a, builder, "pack", dir); err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	b, err := prepare(ctx, c, engine, a, dir)
	if err != nil {
		return err
	}
	if err := b.create(ctx); err != nil {
		return err
	}
	return deploy.PostBuild(ctx, c, a, builder, "pack", dir)
}
