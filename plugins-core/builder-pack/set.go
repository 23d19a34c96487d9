package builderpack

import (
	"context"
	"fmt"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// pathKey is the property with the place of project.toml in the source.
const pathKey = "projecttoml-path"

// set is builder-pack:set: APP|--global projecttoml-path [PATH].
func set(ctx context.Context, c *plug.C) error {
	name := c.Arg(0)
	if name != property.Global {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		name = a.Name
	}
	if len(c.Args) < 2 || len(c.Args) > 3 || c.Arg(1) != pathKey {
		return c.Usage("cannot set %q: give APP or --global, the property %s, and its value", c.Arg(1), pathKey)
	}
	value := strings.TrimSpace(c.Arg(2))
	if value != "" {
		clean, err := deploy.SourcePath(value)
		if err != nil {
			return fmt.Errorf("cannot set %s to %q: %w", pathKey, value, err)
		}
		value = clean
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

func reportOf(_ context.Context, c *plug.C, a app.App) (plug.Facts, error) {
	own, err := property.Own(c.Settings(), pluginName, a.Name, pathKey)
	if err != nil {
		return nil, err
	}
	global, err := property.Own(c.Settings(), pluginName, property.Global, pathKey)
	return plug.Facts{
		{Name: "computed projecttoml path", Value: descriptorPath(c, a.Name)},
		{Name: "global projecttoml path", Value: global},
		{Name: "projecttoml path", Value: own},
	}, err
}

func reportGlobal(_ context.Context, c *plug.C) (plug.Facts, error) {
	global, err := property.Own(c.Settings(), pluginName, property.Global, pathKey)
	return plug.Facts{{Name: "global projecttoml path", Value: global}}, err
}
