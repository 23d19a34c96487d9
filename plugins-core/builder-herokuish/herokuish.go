// Package builderherokuish is the plugin builder-herokuish: a tree without a Dockerfile is built by a buildpack in a
// container of the stack image (toolchain-2014, section 9).
package builderherokuish

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// builder is the name of this builder in hooks and labels.
const builder = "herokuish"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "builder-herokuish",
		Description: "builds trees with buildpacks on the stack image",
		Hooks: map[string]plug.Hook{
			"builder-detect":    detect,
			"builder-names":     plug.BuilderNames(builder),
			"builder-reason":    plug.BuilderReason(builder, reason),
			"builder-inputs":    inputs,
			"builder-build":     build,
			"builder-release":   release,
			"buildpacks-detect": showDetect,
		},
	}
}

// detect prints our name for a tree that asks for buildpacks. What no builder asks for is ours too, as the default: see
// [deploy.DefaultBuilder].
func detect(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	why, err := deploy.AsksForBuildpacks(c.Settings(), a, c.Arg(1))
	if err == nil && why != "" {
		fmt.Fprintln(c.Stdout, builder)
	}
	return err
}

// reason says why detect has printed our name: BUILDER APP DIR.
func reason(c *plug.C) string {
	a, err := c.App(1)
	if err != nil {
		return ""
	}
	why, _ := deploy.AsksForBuildpacks(c.Settings(), a, c.Arg(2)) // detect has told
	return why
}

func release(ctx context.Context, c *plug.C) error {
	if c.Arg(0) != builder {
		return nil
	}
	a, err := c.App(1)
	if err != nil {
		return err
	}
	return deploy.ReleaseHooks(ctx, c, a, builder, "buildpack", c.Arg(2))
}

func build(ctx context.Context, c *plug.C) error {
	if c.Arg(0) != builder {
		return nil
	}
	a, err := c.App(1)
	if err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	b := &run{c: c, engine: engine, app: a, dir: c.Arg(2)}
	if b.image, err = stackimage.Of(ctx, c, a.Name); err != nil {
		return err
	}
	if id, err := engine.ImageID(ctx, b.image); err != nil {
		return err
	} else if id == "" {
		return fmt.Errorf("cannot build %q: there is no stack image %s; make it as root: dokku stack:create", a.Name, b.image)
	}
	if b.kind, err = stackimage.KindOf(ctx, engine, b.image); err != nil {
		return err
	}
	if b.kind == stackimage.Bare {
		return fmt.Errorf("cannot build %q: the image %s has no program that builds; make a stack of it as root: dokku stack:create NAME --from %s", a.Name, b.image, b.image)
	}
	changed, err := b.preBuild(ctx)
	if err != nil {
		return err
	}
	if err := b.readInput(ctx, changed); err != nil { // now, for hooks may have set variables
		return err
	}
	// Dokku 0.2 has only variables of apps, and says nothing; 0.3.9 has those of all, and says this.
	if b.input.global {
		c.Info1("Adding BUILD_ENV to build environment...")
	}
	if err := b.build(ctx, changed); err != nil {
		return err
	}
	return deploy.PostBuild(ctx, c, a, builder, "buildpack", b.dir)
}

// run is one build.
type run struct {
	c      *plug.C
	engine *dockerapi.Engine
	app    app.App
	dir    string
	image  string // what the build starts from
	kind   stackimage.Kind
	input  input
}

// preBuild tells the plugins. Those of 2014 expect an image with the unbuilt tree, which is made for them only when
// there are any; then the build goes on from what they left.
func (b *run) preBuild(ctx context.Context) (unpacked bool, err error) {
	for _, hook := range []string{"pre-build", "pre-build-buildpack", "pre-build-buildstep"} {
		found, err := b.c.Implemented(hook)
		if err != nil {
			return false, err
		}
		unpacked = unpacked || found
	}
	if !unpacked {
		return false, nil
	}
	if err := b.inContainer(ctx, unpack, nil, b.pack, "unpack the source"); err != nil {
		return false, err
	}
	if err := deploy.PreBuild(ctx, b.c, b.app, builder, "buildpack", b.dir); err != nil {
		return false, err
	}
	b.image = b.app.Image(deploy.BuildTag)
	return true, deploy.ImageHook(ctx, b.c, b.app, deploy.BuildTag, "pre-build-buildstep", b.app.Name)
}

// unpack is the script of the build container that has the source on stdin; the image's own programs build it.
const unpack = buildstep.Unpack

func (b *run) build(ctx context.Context, unpacked bool) error {
	if err := record.MkdirAll(b.app.Path("cache"), 0o755); err != nil {
		return err
	}
	binds := []dockerapi.Bind{{Source: b.app.Path("cache"), Target: "/cache"}}
	if unpacked {
		return b.inContainer(ctx, b.kind.Script(), binds, nil, "build "+b.app.Name)
	}
	return b.inContainer(ctx, unpack+" || exit\n"+b.kind.Script(), binds, b.pack, "build "+b.app.Name)
}

// pack is the source as a tar.
func (b *run) pack() (*dockerapi.Source, error) { return dockerapi.Pack(b.dir, nil) }

// showDetect is the hook buildpacks-detect: it shows by which buildpacks the tree in a directory would be built.
func showDetect(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	b := &run{c: c, engine: engine, app: a, dir: c.Arg(1)}
	if b.image, err = stackimage.Of(ctx, c, a.Name); err != nil {
		return err
	}
	if b.kind, err = stackimage.KindOf(ctx, engine, b.image); err != nil {
		return err
	}
	if b.kind != stackimage.Ours {
		return fmt.Errorf("cannot detect the buildpack of %q: the image %s is no stack of ours", a.Name, b.image)
	}
	if err := b.readInput(ctx, false); err != nil {
		return err
	}
	id, err := b.runContainer(ctx, unpack+" && exec "+buildstep.Program+" core-stack detect", nil, b.pack, "detect the buildpack of "+a.Name)
	if id != "" {
		err = errors.Join(err, engine.Remove(context.WithoutCancel(ctx), id))
	}
	return err
}

// inContainer runs a script in a new container of the build's image and commits that to the build's tag.
func (b *run) inContainer(ctx context.Context, script string, binds []dockerapi.Bind, stdin func() (*dockerapi.Source, error), what string) (err error) {
	labels, err := deploy.SourceLabels(b.c.Settings(), b.app, b.dir)
	if err != nil {
		return err
	}
	labels[dockerapi.LabelBuilder], labels[dockerapi.LabelStage] = builder, "build"
	id, err := b.runContainer(ctx, script, binds, stdin, what)
	if id != "" {
		defer func() { err = errors.Join(err, b.engine.Remove(context.WithoutCancel(ctx), id)) }()
	}
	if err != nil {
		return err
	}
	changes, err := b.kind.Changes(ctx, b.engine, id)
	if err != nil {
		return err
	}
	_, err = b.engine.Commit(ctx, id, b.app.Image(deploy.BuildTag), []string{"/start", "web"},
		append(changes, "WORKDIR /app", fmt.Sprintf("ENV PORT=%d", app.Port)), labels)
	return err
}

// runContainer runs a script in a new container of the build's image, which is there afterwards if it has an id.
func (b *run) runContainer(ctx context.Context, script string, binds []dockerapi.Bind, stdin func() (*dockerapi.Source, error), what string) (id string, err error) {
	spec := dockerapi.Spec{App: b.app.Name, Kind: "build", Image: b.image, User: "0",
		Entrypoint: []string{}, Cmd: []string{"/bin/bash", "-c", script}, Binds: binds, OpenStdin: stdin != nil}
	limits, err := deploy.LimitsOf(b.c.Settings(), b.app)
	if err != nil {
		return "", err
	}
	limits.Apply(&spec)
	options, err := deploy.BuildOptions(ctx, b.c, b.app, builder)
	if err != nil {
		return "", err
	}
	if id, err = b.engine.CreateWithOptions(ctx, spec, options, b.c.Env); err != nil {
		return "", err
	}
	var variables io.Reader
	if script != unpack { // an image of the unbuilt tree is kept, and is not to have them
		if variables, err = b.input.tar(); err != nil {
			return id, err
		}
	}
	if variables != nil {
		if err := b.engine.PutArchive(ctx, id, "/tmp", variables); err != nil {
			return id, err
		}
	}
	streams := dockerapi.Streams{Stdout: b.c.Stdout, Stderr: b.c.Stderr}
	var source *dockerapi.Source
	if stdin != nil {
		if source, err = stdin(); err != nil {
			return id, err
		}
		defer source.Close()
		streams.Stdin = source
	}
	status, err := b.engine.RunAttached(ctx, id, streams, false, nil)
	if err != nil {
		return id, err
	}
	if source != nil && source.Err() != nil {
		return id, source.Err()
	}
	if status != 0 {
		return id, limits.Ended(ctx, b.engine, b.app, id, status, fmt.Errorf("cannot %s: the build ended with status %d", what, status))
	}
	return id, nil
}
