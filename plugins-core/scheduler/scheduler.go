// Package scheduler is the plugin that says which scheduler runs an app.
package scheduler

import (
	"context"
	"fmt"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

const pluginName = "scheduler"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "says which scheduler runs an app",
		Hooks: map[string]plug.Hook{
			"scheduler-detect":      detect,
			"post-delete":           plug.DestroyProperties(pluginName),
			"post-app-clone-setup":  plug.CloneProperties(pluginName),
			"post-app-rename-setup": plug.MoveProperties(pluginName),
		},
	}
}

func detect(_ context.Context, c *plug.C) error {
	name := property.Get(c.Settings(), pluginName, c.Arg(0), "selected")
	if name == "" {
		name = deploy.Scheduler
	}
	fmt.Fprintln(c.Stdout, name)
	return nil
}
