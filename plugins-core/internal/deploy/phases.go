package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// The hooks that every builder triggers around its work: today's, with the builder's name first, and under old names
// that end in flavour ("buildpack", which was "buildstep" first, "dockerfile" and "pack"). Plugins without a plugin.toml
// get pre-build and post-build with the arguments of 2014, APP IMAGE.

// buildpack is the flavour that was there first, when it was called buildstep.
const buildpack = "buildpack"

// PreBuild tells the plugins that a build begins. These hooks run in the directory of the source.
func PreBuild(ctx context.Context, c *plug.C, a app.App, builder, flavour, dir string) error {
	c = c.In(dir)
	if err := ImageHook(ctx, c, a, BuildTag, "pre-build", builder, a.Name, dir); err != nil {
		return err
	}
	return ImageHook(ctx, c, a, BuildTag, "pre-build-"+flavour, a.Name, dir)
}

// PostBuild tells the plugins that the image is built.
func PostBuild(ctx context.Context, c *plug.C, a app.App, builder, flavour, dir string) error {
	if err := ImageHook(ctx, c, a, BuildTag, "post-build-"+flavour, a.Name, dir); err != nil {
		return err
	}
	if flavour == buildpack {
		if err := ImageHook(ctx, c, a, BuildTag, "post-build-buildstep", a.Name, dir); err != nil {
			return err
		}
	}
	return ImageHook(ctx, c, a, BuildTag, "post-build", builder, a.Name, dir)
}

// ReleaseHooks tells the plugins that the image is released.
func ReleaseHooks(ctx context.Context, c *plug.C, a app.App, builder, flavour, tag string) error {
	for _, h := range []struct {
		name string
		args []string
	}{
		{"pre-release-builder", []string{builder, a.Name, a.Image(tag)}},
		{"pre-release-" + flavour, []string{a.Name, tag}},
		{"pre-release-buildstep", []string{a.Name, tag}},
		{"pre-release", []string{a.Name, a.Repository()}},
		{"post-release", []string{a.Name, a.Repository()}},
		{"post-release-" + flavour, []string{a.Name, tag}},
		{"post-release-buildstep", []string{a.Name, tag}},
		{"post-release-builder", []string{builder, a.Name, a.Image(tag)}},
	} {
		if flavour != buildpack && strings.HasSuffix(h.name, "-buildstep") {
			continue
		}
		if err := ImageHook(ctx, c, a, tag, h.name, h.args...); err != nil {
			return err
		}
	}
	return nil
}

// BuildOptions asks the plugins for options of `docker build`.
func BuildOptions(ctx context.Context, c *plug.C, a app.App, builder string) ([]string, error) {
	text, err := c.Filter(ctx, "", "docker-args-build", a.Name, builder)
	if err != nil {
		return nil, err
	}
	words, err := shellquote.Split(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use the build options of the plugins, by docker-args-build: %w", err)
	}
	return words, nil
}

// HostVariables are those of the host that a build sees: they tell programs where packages come from.
func HostVariables(c *plug.C) map[string]string {
	host := map[string]string{}
	for _, key := range buildstep.HostVariables() {
		if v, ok := settings.Lookup(c.Env, key); ok && v != "" {
			host[key] = v
		}
	}
	return host
}
