package deploy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// BuilderPlugin is the plugin whose properties say how apps are built; the keys follow.
const BuilderPlugin = "builder"

// Properties of plugin builder.
const (
	SelectedKey     = "selected"      // the builder, whatever the source has
	BuildDirKey     = "build-dir"     // the part of the source that is built
	SkipCleanupKey  = "skip-cleanup"  // true: nothing of earlier deploys is removed before a build
	BuildMemoryKey  = "build-memory"  // what builds may take
	BuildCPUsKey    = "build-cpus"    // the same
	BuildTimeoutKey = "build-timeout" // the same
)

// DefaultBuilder builds what no builder asks for.
const DefaultBuilder = "herokuish"

// SourcePath is a path in the source in its shortest form; it leads out of no source.
func SourcePath(value string) (string, error) {
	if !filepath.IsLocal(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errors.New("give a path in the source, relative to its root")
	}
	return filepath.Clean(value), nil
}

// Builders lists the builders of this host: those that answer by name, and the plugins of others whose directory
// builder-NAME has the hook that builds.
func Builders(ctx context.Context, c *plug.C) ([]string, error) {
	text, err := c.Query(ctx, "builder-names")
	if err != nil {
		return nil, err
	}
	names := strings.Fields(text)
	found, err := pluginhook.Find(c.Runner.Path, "builder-build")
	if err != nil {
		return nil, err
	}
	for _, h := range found {
		if name, ok := strings.CutPrefix(h.Plugin, "builder-"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// CheckBuilder refuses the name of a builder that is not there.
func CheckBuilder(ctx context.Context, c *plug.C, name string) error {
	names, err := Builders(ctx, c)
	if err == nil && !slices.Contains(names, name) {
		err = fmt.Errorf("cannot build with %q: there is no such builder; the builders of this host are %s", name, strings.Join(names, ", "))
	}
	return err
}

// chooseBuilder tells which builder builds the tree dir, and why: the one that was selected, else the first one that
// asks for the tree, else the default one.
func chooseBuilder(ctx context.Context, c *plug.C, a app.App, dir string) (builder, why string, err error) {
	if builder = property.Get(c.Settings(), BuilderPlugin, a.Name, SelectedKey); builder != "" {
		if err := CheckBuilder(ctx, c, builder); err != nil {
			return "", "", fmt.Errorf("%w; select another by: dokku builder:set %s selected NAME", err, a.Name)
		}
		return builder, "it is selected", nil
	}
	builder, err = c.FirstLine(ctx, "builder-detect", a.Name, dir)
	if err != nil {
		return "", "", err
	}
	if builder == "" {
		if CheckBuilder(ctx, c, DefaultBuilder) != nil {
			return "", "", fmt.Errorf("cannot build %q: no builder plugin knows this kind of source", a.Name)
		}
		return DefaultBuilder, "nothing in the source asks for another", nil
	}
	why, err = c.FirstLine(ctx, "builder-reason", builder, a.Name, dir)
	if why == "" {
		why = "its plugin asks for the source"
	}
	return builder, why, err
}
