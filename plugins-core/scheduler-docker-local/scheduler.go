// Package schedulerdockerlocal is the plugin scheduler-docker-local: it runs apps as containers of this host's engine.
// Every hook of a scheduler has the scheduler's name as its first argument; another scheduler's calls are not ours.
package schedulerdockerlocal

import (
	"context"
	"fmt"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

const pluginName = "scheduler-docker-local"

// Kinds of containers, in their label.
const (
	kindDeploy = "deploy"
	kindRun    = "run"
	kindBuild  = "build" // made by builders
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "runs apps as containers of this host's engine",
		Hooks: map[string]plug.Hook{
			"scheduler-deploy":             ours(deployApp),
			"scheduler-stop":               ours(stopApp),
			"scheduler-run":                ours(runCommand),
			"scheduler-enter":              ours(enter),
			"scheduler-logs":               ours(showLogs),
			"scheduler-logs-failed":        ours(showFailed),
			"scheduler-inspect":            ours(inspect),
			"scheduler-app-status":         ours(showStatus),
			"scheduler-adopt":              ours(adoptApp),
			"scheduler-settle":             ours(settleApp),
			"scheduler-retire":             ours(cleanUp),
			"scheduler-reserved-addresses": ours(printReserved),
			"scheduler-is-deployed": ours(func(_ context.Context, c *plug.C, _ *dockerapi.Engine, a app.App) error {
				if !deploy.Deployed(a) {
					return fmt.Errorf("%s is not deployed", a.Name)
				}
				return nil
			}),
			"doctor-check":          plug.Diagnose([]string{"engine", "containers", "state", "images"}, diagnose),
			"post-delete":           func(_ context.Context, c *plug.C) error { return forgetPorts(c.Settings(), c.Arg(0)) },
			"post-app-rename-setup": func(ctx context.Context, c *plug.C) error { return movePorts(ctx, c.Settings(), c.Arg(0), c.Arg(1)) },
		},
		Commands: []plug.Command{
			{Name: pluginName + ":retire", Args: "APP CONTAINER ...", Internal: true, Run: retireNow},
			{Name: pluginName + ":watch", Args: "APP RELEASE SECONDS SECONDS [CONTAINER ...]", Internal: true, Run: watchVerb},
		},
	}
}

// ours makes a hook of what is done for an app of this scheduler.
func ours(f func(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		if c.Arg(0) != deploy.Scheduler {
			return nil
		}
		a, err := c.App(1)
		if err != nil {
			return err
		}
		engine, err := dockerapi.New(c.Settings())
		if err != nil {
			return err
		}
		defer engine.Close()
		return f(ctx, c, engine, a)
	}
}

func stopTimeout(s settings.Settings) (time.Duration, error) {
	return s.Seconds(settings.StopTimeout, 10)
}

// stopApp stops the app's containers; with "true" as third argument they are removed.
func stopApp(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	grace, err := stopTimeout(c.Settings())
	if err != nil {
		return err
	}
	list, err := engine.List(ctx, a.Name, "")
	if err != nil {
		return err
	}
	return parallel(list, func(item dockerapi.Container) error {
		// An engine that comes up starts what ended with a status, as many programs do that are told to stop.
		if c.Arg(2) != "true" && item.Labels[dockerapi.LabelKind] == kindDeploy {
			if err := engine.LeaveStopped(ctx, item.ID); err != nil {
				return err
			}
		}
		if err := engine.Stop(ctx, item.ID, grace); err != nil || c.Arg(2) != "true" {
			return err
		}
		return engine.Remove(ctx, item.ID)
	})
}
