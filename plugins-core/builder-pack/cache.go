package builderpack

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// cacheKey is the property with the name of the app's volume: a volume cannot be renamed, so the app keeps it under
// another name of its own.
const cacheKey = "cache-volume"

// cacheVolume makes the volume of the app's cache, and returns its name; fresh tells that there was none.
func cacheVolume(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) (name string, fresh bool, err error) {
	if name, err = property.Own(c.Settings(), pluginName, a.Name, cacheKey); err != nil {
		return "", false, err
	}
	if fresh = name == ""; fresh {
		name = "dokku-pack-" + a.Name + "-" + strings.ToLower(rand.Text()[:12])
		if err := property.Set(c.Settings(), pluginName, a.Name, cacheKey, name); err != nil {
			return "", false, err
		}
	}
	return name, fresh, engine.MakeVolume(ctx, name, a.Name)
}

// destroyed is post-delete: APP.
func destroyed(ctx context.Context, c *plug.C) error {
	if err := app.CheckName(c.Arg(0)); err != nil { // it may come from anybody
		return err
	}
	name, err := property.Own(c.Settings(), pluginName, c.Arg(0), cacheKey)
	if err == nil && name != "" {
		var engine *dockerapi.Engine
		if engine, err = dockerapi.New(c.Settings()); err == nil {
			defer engine.Close()
			err = engine.RemoveVolume(ctx, name)
		}
	}
	if err != nil { // so that another try finds it
		return err
	}
	return property.Destroy(c.Settings(), pluginName, c.Arg(0))
}

// cloned is post-app-clone-setup: OLD NEW. A copy has a cache of its own: it must not know the old one's for a moment,
// since it would remove that when it is destroyed half made.
func cloned(_ context.Context, c *plug.C) error {
	return property.Clone(c.Settings(), pluginName, c.Arg(0), c.Arg(1), cacheKey)
}
