// Package builderdockerfile is the plugin builder-dockerfile: a tree with a Dockerfile is built by the engine.
package builderdockerfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

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
		Name:        pluginName,
		Description: "builds trees with a Dockerfile",
		Hooks: map[string]plug.Hook{
			"builder-detect":  detect,
			"builder-names":   plug.BuilderNames(builder),
			"builder-reason":  plug.BuilderReason(builder, reason),
			"builder-build":   build,
			"builder-release": release,
			"core-prune":      prune,

			"report":                reporter().Hook,
			"post-delete":           plug.DestroyProperties(pluginName),
			"post-app-clone-setup":  plug.CloneProperties(pluginName),
			"post-app-rename-setup": plug.MoveProperties(pluginName),
		},
		Commands: []plug.Command{
			{Name: "builder-dockerfile:report", Args: reporter().Args(), Help: "Show where the Dockerfiles of applications are", Run: reporter().Run},
			{Name: "builder-dockerfile:set", Args: "APP|--global PROPERTY [VALUE]", Help: "Say where the Dockerfile of an application is", Run: set},
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
	if _, found, err := find(c.Settings(), a, dir); err != nil || !found {
		return err
	}
	why, err := deploy.AsksForBuildpacks(c.Settings(), a, dir)
	if err == nil && why == "" {
		fmt.Fprintln(c.Stdout, builder)
	}
	return err
}

// reason is what has us build an app's source.
func reason(c *plug.C) string {
	if path, _, err := pathOf(c.Settings(), c.Arg(1)); err == nil && path != defaultPath {
		return "the source has " + path
	}
	return "the source has a Dockerfile"
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
	spec, limits, err := specOf(ctx, c, a, dir)
	if err != nil {
		return err
	}
	err = engine.BuildDockerfile(ctx, spec, c.Stdout)
	var failure *dockerapi.BuildFailure
	if errors.As(err, &failure) && failure.OutOfMemory {
		return limits.OutOfMemory(a, err)
	}
	return err
}

// specOf gathers what an image is built of.
func specOf(ctx context.Context, c *plug.C, a app.App, dir string) (s dockerapi.BuildSpec, limits deploy.Limits, err error) {
	path, found, err := find(c.Settings(), a, dir)
	if err == nil && !found { // the builder was selected
		err = fmt.Errorf("cannot build %q: the source has no Dockerfile; say where it is by: dokku builder-dockerfile:set %s %s PATH", a.Name, a.Name, pathKey)
	}
	if err != nil {
		return s, limits, err
	}
	vars, err := a.MergedEnv()
	if err != nil {
		return s, limits, err
	}
	options, err := deploy.BuildOptions(ctx, c, a, builder)
	if err != nil {
		return s, limits, err
	}
	if vars[cacheVariable] == "false" {
		options = append(options, "--no-cache")
	}
	labels, err := deploy.SourceLabels(c.Settings(), a, dir)
	if err != nil {
		return s, limits, err
	}
	if err := checkProcfile(labels); err != nil {
		return s, limits, err
	}
	port, err := exposed(dir, path, options)
	if err != nil {
		return s, limits, err
	}
	labels[dockerapi.LabelBuilder], labels[dockerapi.LabelStage], labels[dockerapi.LabelPort] = builder, "build", port
	limits, err = deploy.LimitsOf(c.Settings(), a)
	return dockerapi.BuildSpec{
		App: a.Name, Dir: dir, Dockerfile: path, Tag: a.Image(deploy.BuildTag), Options: options, Env: c.Env,
		Labels: labels, Memory: limits.Memory, CPUs: limits.CPUs,
	}, limits, err
}

// cacheVariable is the variable of an app by which, with the value false, no step is taken from the cache (0.3.x).
const cacheVariable = "DOKKU_DOCKERFILE_CACHE_BUILD"

// checkProcfile refuses a Procfile that no process could be started by, before anything is built.
func checkProcfile(labels map[string]string) error {
	_, err := deploy.Command(&dockerapi.Image{Labels: labels}, nil, "web", app.Port)
	return err
}

// exposed is the port that the image's label is to name, "" when the Dockerfile does not tell.
func exposed(dir, path string, options []string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("cannot read the source: %w", err)
	}
	defer root.Close()
	text, err := root.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the Dockerfile: %w", err)
	}
	request, _, err := dockerapi.ParseBuildOptions(options, nil)
	if err != nil {
		return "", err
	}
	if port := firstPort(string(text), request.Target); port > 0 {
		return strconv.Itoa(port), nil
	}
	return "", nil
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
