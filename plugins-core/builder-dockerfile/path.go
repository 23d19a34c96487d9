package builderdockerfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// pluginName is the plugin's, under which it keeps properties.
const pluginName = "builder-dockerfile"

// pathKey is the property, today's, that says where in the source the Dockerfile is.
const pathKey = "dockerfile-path"

// defaultPath is where it is unless that is said.
const defaultPath = "Dockerfile"

// pathOf tells where the Dockerfile of an app is, and whether that was said for this app.
func pathOf(s settings.Settings, name string) (path string, own bool, err error) {
	if path, err = property.Own(s, pluginName, name, pathKey); err != nil || path != "" {
		return path, true, err
	}
	if path = property.Get(s, pluginName, property.Global, pathKey); path != "" {
		return path, false, nil
	}
	return defaultPath, false, nil
}

// find looks whether the source has the Dockerfile of an app. One that was named for this app has to be there.
func find(s settings.Settings, a app.App, dir string) (path string, found bool, err error) {
	path, own, err := pathOf(s, a.Name)
	if err != nil {
		return "", false, err
	}
	root, err := os.OpenRoot(dir) // no link of the source leads out of it
	if err != nil {
		return "", false, fmt.Errorf("cannot read the source: %w", err)
	}
	defer root.Close()
	st, err := root.Lstat(path)
	switch {
	case err != nil && own:
		return "", false, fmt.Errorf("cannot build %q: the source has no %s, which builder-dockerfile:set names: %w", a.Name, path, errors.Unwrap(err))
	case err != nil:
		return "", false, nil
	case !st.Mode().IsRegular():
		return "", false, fmt.Errorf("cannot build %q: its %s is not a regular file", a.Name, path)
	}
	return path, true, nil
}

// set is builder-dockerfile:set: APP|--global dockerfile-path [PATH].
func set(ctx context.Context, c *plug.C) error {
	name := c.Arg(0)
	if name != property.Global {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		name = a.Name
	}
	if len(c.Args) < 2 || len(c.Args) > 3 {
		return c.Usage("cannot set anything: give APP or --global, %s, and a path", pathKey)
	}
	if c.Arg(1) != pathKey {
		return c.Usage("cannot set %q: the only property is %s", c.Arg(1), pathKey)
	}
	value := strings.TrimSpace(c.Arg(2))
	if value != "" {
		if !filepath.IsLocal(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.HasSuffix(value, "/") {
			return fmt.Errorf("cannot set %s to %q: give a file of the source, relative to its root", pathKey, value)
		}
		value = filepath.Clean(value)
	}
	if name == property.Global {
		if err := c.Admin(ctx); err != nil {
			return err
		}
	}
	if err := property.Set(c.Settings(), pluginName, name, pathKey, value); err != nil {
		return fmt.Errorf("cannot set %s of %s: %w", pathKey, name, err)
	}
	if value == "" {
		c.Info1("Unsetting %s", pathKey)
	} else {
		c.Info1("Setting %s to %s", pathKey, value)
	}
	return nil
}

func reporter() plug.Reporter {
	return plug.Reporter{Area: pluginName, Of: reportOf, Global: reportGlobal}
}

func reportOf(ctx context.Context, c *plug.C, a app.App) (plug.Facts, error) {
	own, err := property.Own(c.Settings(), pluginName, a.Name, pathKey)
	if err != nil {
		return nil, err
	}
	global, err := reportGlobal(ctx, c)
	if err != nil {
		return nil, err
	}
	computed, _, err := pathOf(c.Settings(), a.Name)
	return plug.Facts{{Name: "computed dockerfile path", Value: computed}, global[0], {Name: "dockerfile path", Value: own}}, err
}

func reportGlobal(_ context.Context, c *plug.C) (plug.Facts, error) {
	global, err := property.Own(c.Settings(), pluginName, property.Global, pathKey)
	if global == "" {
		global = defaultPath
	}
	return plug.Facts{{Name: "global dockerfile path", Value: global}}, err
}
