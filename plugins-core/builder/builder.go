// Package builder is the plugin that says how apps are built: by which builder, from which part of their source, and
// with how much of the host. The verbs and keys are today's (builder:set, builder:report); build-memory, build-cpus and
// build-timeout are ours.
package builder

import (
	"context"
	"fmt"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

const pluginName = deploy.BuilderPlugin

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "says by which builder, and from what, apps are built",
		Hooks: map[string]plug.Hook{
			"builder-detect":        detect,
			"core-post-extract":     narrow,
			"report":                reporter().Hook,
			"post-delete":           plug.DestroyProperties(pluginName),
			"post-app-clone-setup":  plug.CloneProperties(pluginName),
			"post-app-rename-setup": plug.MoveProperties(pluginName),
		},
		Commands: []plug.Command{
			{Name: "builder:report", Args: reporter().Args(), Help: "Show how applications are built", Run: reporter().Run},
			{Name: "builder:set", Args: "APP|--global PROPERTY [VALUE]", Help: "Say how an application is built", Run: set},
		},
	}
}

// detect prints the builder that was selected, for plugins that ask; a deploy looks for itself, before it asks anybody.
func detect(_ context.Context, c *plug.C) error {
	if name := property.Get(c.Settings(), pluginName, c.Arg(0), deploy.SelectedKey); name != "" {
		fmt.Fprintln(c.Stdout, name)
	}
	return nil
}
