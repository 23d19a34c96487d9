// Package scheduler is the plugin that says which scheduler runs an app.
package scheduler

import (
	"context"
	"fmt"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "scheduler",
		Description: "says which scheduler runs an app",
		Hooks:       map[string]plug.Hook{"scheduler-detect": detect},
	}
}

func detect(_ context.Context, c *plug.C) error {
	name := property.Get(c.Settings(), "scheduler", c.Arg(0), "selected")
	if name == "" {
		name = deploy.Scheduler
	}
	fmt.Fprintln(c.Stdout, name)
	return nil
}
