// Package builderdockerfile is the plugin builder-dockerfile: a tree with a Dockerfile is built by the engine.
package builderdockerfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// builder is the name of this builder in hooks and labels.
const builder = "dockerfile"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "builder-dockerfile",
		Description: "builds trees with a Dockerfile",
		Hooks: map[string]plug.Hook{
			"builder-detect":  detect,
			"builder-names":   plug.BuilderNames(builder),
			"builder-reason":  plug.BuilderReason(builder, func(*plug.C) string { return "the source has a Dockerfile" }),
			"builder-build":   build,
			"builder-release": release,
			"core-prune":      prune,
		},
	}
}

// detect prints our name for a tree with a Dockerfile that does not ask for buildpacks (toolchain-2014, section 14).
func detect(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	dir := c.Arg(1)
	st, err := os.Lstat(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		return nil
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("cannot build %q: its Dockerfile is not a regular file", a.Name)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".buildpacks")); err == nil {
		return nil
	}
	vars, err := a.MergedEnv()
	if err == nil && vars["BUILDPACK_URL"] == "" {
		fmt.Fprintln(c.Stdout, builder)
	}
	return err
}

func build(ctx context.Context, c *plug.C) error {
	if c.Arg(0) != builder {
		return nil
	}
	a, err := c.App(1)
	if err != nil {
		return err
	}
	dir := c.Arg(2)
	if err := deploy.PreBuild(ctx, c, a, builder, "dockerfile", dir); err != nil {
		return err
	}
	if err := buildImage(ctx, c, a, dir); err != nil {
		pruneAfterFailure(ctx, c)
		return err
	}
	return deploy.PostBuild(ctx, c, a, builder, "dockerfile", dir)
}

func buildImage(ctx context.Context, c *plug.C, a app.App, dir string) error {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	options, err := deploy.BuildOptions(ctx, c, a, builder)
	if err != nil {
		return err
	}
	labels, err := deploy.SourceLabels(c.Settings(), a, dir)
	if err != nil {
		return err
	}
	labels[dockerapi.LabelBuilder], labels[dockerapi.LabelStage] = builder, "build"
	limits, err := deploy.LimitsOf(c.Settings(), a)
	if err != nil {
		return err
	}
	err = engine.BuildDockerfile(ctx, dockerapi.BuildSpec{
		App: a.Name, Dir: dir, Dockerfile: "Dockerfile", Tag: a.Image(deploy.BuildTag), Options: options, Env: c.Env,
		Labels: labels, Memory: limits.Memory, CPUs: limits.CPUs,
	}, c.Stdout)
	var failure *dockerapi.BuildFailure
	if errors.As(err, &failure) && failure.OutOfMemory {
		return limits.OutOfMemory(a, err)
	}
	return err
}

// release tells the plugins; variables are given to containers when they start.
func release(ctx context.Context, c *plug.C) error {
	if c.Arg(0) != builder {
		return nil
	}
	a, err := c.App(1)
	if err != nil {
		return err
	}
	return deploy.ReleaseHooks(ctx, c, a, builder, "dockerfile", c.Arg(2))
}
