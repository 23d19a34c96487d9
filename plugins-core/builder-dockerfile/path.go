package builderdockerfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
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

// set is builder-dockerfile:set.
func set(ctx context.Context, c *plug.C) error {
	return plug.Setter{Plugin: pluginName, Keys: []string{pathKey}, Check: checkPath}.Run(ctx, c)
}

// checkPath is the path of a file of the source, as it is kept.
func checkPath(_ context.Context, _ *plug.C, _, value string) (string, error) {
	path, err := deploy.SourcePath(value)
	if err != nil || strings.HasSuffix(value, "/") {
		return "", errors.New("give a file of the source, relative to its root")
	}
	return path, nil
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
