package builderpack

import (
	"context"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// pathKey is the property with the place of project.toml in the source.
const pathKey = "projecttoml-path"

// set is builder-pack:set.
func set(ctx context.Context, c *plug.C) error {
	check := func(_ context.Context, _ *plug.C, _, value string) (string, error) { return deploy.SourcePath(value) }
	return plug.Setter{Plugin: pluginName, Keys: []string{pathKey}, Check: check}.Run(ctx, c)
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
