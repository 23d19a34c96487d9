// Package builderherokuish is the plugin builder-herokuish: a tree without a Dockerfile is built by a buildpack in a
// container of the stack image (toolchain-2014, section 9).
package builderherokuish

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
			"builder-detect":  detect,
			"builder-names":   plug.BuilderNames(builder),
			"builder-reason":  plug.BuilderReason(builder, reason),
			"builder-inputs":  inputs,
			"builder-build":   build,
			"builder-release": release,
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
	vars, err := a.MergedEnv()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(c.Arg(1), ".buildpacks")); err == nil || vars["BUILDPACK_URL"] != "" {
		fmt.Fprintln(c.Stdout, builder)
	}
	return nil
}

// reason says why detect has printed our name: BUILDER APP DIR.
func reason(c *plug.C) string {
	if _, err := os.Lstat(filepath.Join(c.Arg(2), ".buildpacks")); err == nil {
		return "the source has .buildpacks"
	}
	return "BUILDPACK_URL is set"
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
const unpack = "mkdir -p /app && tar -xC /app"

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

// inContainer runs a script in a new container of the build's image and commits that to the build's tag.
func (b *run) inContainer(ctx context.Context, script string, binds []dockerapi.Bind, stdin func() (*dockerapi.Source, error), what string) (err error) {
	labels, err := deploy.SourceLabels(b.c.Settings(), b.app, b.dir)
	if err != nil {
		return err
	}
	labels[dockerapi.LabelBuilder], labels[dockerapi.LabelStage] = builder, "build"
	spec := dockerapi.Spec{App: b.app.Name, Kind: "build", Image: b.image, User: "0",
		Entrypoint: []string{}, Cmd: []string{"/bin/bash", "-c", script}, Binds: binds, OpenStdin: stdin != nil}
	limits, err := deploy.LimitsOf(b.c.Settings(), b.app)
	if err != nil {
		return err
	}
	limits.Apply(&spec)
	options, err := deploy.BuildOptions(ctx, b.c, b.app, builder)
	if err != nil {
		return err
	}
	id, err := b.engine.CreateWithOptions(ctx, spec, options, b.c.Env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.engine.Remove(context.WithoutCancel(ctx), id)) }()
	var variables io.Reader
	if script != unpack { // an image of the unbuilt tree is kept, and is not to have them
		if variables, err = b.variables(); err != nil {
			return err
		}
	}
	if variables != nil {
		if err := b.engine.PutArchive(ctx, id, "/tmp", variables); err != nil {
			return err
		}
	}
	streams := dockerapi.Streams{Stdout: b.c.Stdout, Stderr: b.c.Stderr}
	var source *dockerapi.Source
	if stdin != nil {
		if source, err = stdin(); err != nil {
			return err
		}
		defer source.Close()
		streams.Stdin = source
	}
	status, err := b.engine.RunAttached(ctx, id, streams, false, nil)
	if err != nil {
		return err
	}
	if source != nil && source.Err() != nil {
		return source.Err()
	}
	if status != 0 {
		return limits.Ended(ctx, b.engine, b.app, id, status, fmt.Errorf("cannot %s: the build ended with status %d", what, status))
	}
	_, err = b.engine.Commit(ctx, id, b.app.Image(deploy.BuildTag), []string{"/start", "web"},
		[]string{"WORKDIR /app", fmt.Sprintf("ENV PORT=%d", app.Port)}, labels)
	return err
}

// variables is a tar of what the build may know: the app's variables as files of ENV_DIR, and the host's that tell
// programs where packages come from, which the build sees in its environment. Neither gets into the image.
func (b *run) variables() (io.Reader, error) {
	vars, err := b.app.MergedEnv()
	if err != nil {
		return nil, err
	}
	host := hostVariables(b.c)
	if len(vars)+len(host) == 0 {
		return nil, nil
	}
	var buf bytes.Buffer
	t := tar.NewWriter(&buf)
	for _, set := range []struct {
		dir  string
		vars map[string]string
	}{{buildstep.EnvDir, vars}, {buildstep.HostEnvDir, host}} {
		dir := strings.TrimPrefix(set.dir, "/tmp/")
		if err := t.WriteHeader(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return nil, err
		}
		for _, key := range slices.Sorted(maps.Keys(set.vars)) {
			value := set.vars[key]
			if err := t.WriteHeader(&tar.Header{Name: dir + "/" + key, Mode: 0o644, Size: int64(len(value))}); err != nil {
				return nil, err
			}
			if _, err := io.WriteString(t, value); err != nil {
				return nil, err
			}
		}
	}
	return &buf, t.Close()
}
