package builder

import (
	"context"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

func reporter() plug.Reporter {
	return plug.Reporter{Area: pluginName, Of: reportOf, Global: reportGlobal}
}

// reportOf tells what is set, what holds, and which builder has made the image that the app runs.
func reportOf(ctx context.Context, c *plug.C, a app.App) (plug.Facts, error) {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	detected := ""
	image, err := engine.Image(ctx, a.Image(deploy.LatestTag))
	switch {
	case err == nil:
		detected = image.Builder
	case !dockerapi.IsNotFound(err): // else it is not deployed yet
		return nil, err
	}
	global, err := reportGlobal(ctx, c)
	if err != nil {
		return nil, err
	}
	var facts plug.Facts
	for i, key := range keys() {
		own, err := property.Own(c.Settings(), pluginName, a.Name, key)
		if err != nil {
			return nil, err
		}
		computed := own
		if computed == "" {
			computed = global[2*i+1].Value
		}
		facts = append(facts, plug.Fact{Name: key, Value: own}, global[2*i], plug.Fact{Name: "computed " + key, Value: computed})
	}
	return append(facts, plug.Fact{Name: "detected", Value: detected}), nil
}

// reportGlobal tells what is set for all apps, and what holds for one that has nothing of its own.
func reportGlobal(_ context.Context, c *plug.C) (plug.Facts, error) {
	var facts plug.Facts
	for _, key := range keys() {
		own, err := property.Own(c.Settings(), pluginName, property.Global, key)
		if err != nil {
			return nil, err
		}
		computed := own
		if computed == "" {
			computed = fallback(c.Settings(), key)
		}
		facts = append(facts, plug.Fact{Name: "global " + key, Value: own}, plug.Fact{Name: "computed " + key, Value: computed})
	}
	return facts, nil
}

// fallback is what holds where nothing is set.
func fallback(s settings.Settings, key string) string {
	switch key {
	case deploy.SkipCleanupKey:
		return "false"
	case deploy.BuildMemoryKey:
		return s.Get(settings.BuildMemory, "")
	case deploy.BuildCPUsKey:
		return s.Get(settings.BuildCPUs, "")
	case deploy.BuildTimeoutKey:
		return s.Get(settings.BuildTimeout, "")
	}
	return ""
}
