// Package schedulerdockerlocal is the plugin scheduler-docker-local: it runs apps as containers of this host's engine.
// Every hook of a scheduler has the scheduler's name as its first argument; another scheduler's calls are not ours.
package schedulerdockerlocal

import (
	"context"
	"errors"
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
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "runs apps as containers of this host's engine",
		Hooks: map[string]plug.Hook{
			"check-deploy":         checkDeploy,
			"scheduler-deploy":     ours(deployApp),
			"scheduler-stop":       ours(stopApp),
			"scheduler-run":        ours(runCommand),
			"scheduler-logs":       ours(showLogs),
			"scheduler-app-status": ours(showStatus),
			"scheduler-restore":    ours(restoreApp),
			"scheduler-retire":     ours(cleanUp),
			"scheduler-is-deployed": ours(func(_ context.Context, c *plug.C, _ *dockerapi.Engine, a app.App) error {
				if a.State("CONTAINER") == "" {
					return fmt.Errorf("%s is not deployed", a.Name)
				}
				return nil
			}),
			"post-delete": func(_ context.Context, c *plug.C) error { return forgetPorts(c.Settings(), c.Arg(0)) },
		},
		Commands: []plug.Command{
			{Name: pluginName + ":retire", Args: "SECONDS CONTAINER ...", Internal: true, Run: retireLater},
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
		if err := engine.Stop(ctx, item.ID, grace); err != nil || c.Arg(2) != "true" {
			return err
		}
		return engine.Remove(ctx, item.ID)
	})
}

// restoreApp starts the containers that the app's state names; their ports are theirs for good.
func restoreApp(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	running, err := runningProcesses(a)
	if err != nil {
		return err
	}
	for i, p := range running {
		err := engine.Start(ctx, p.container)
		if dockerapi.IsNotFound(err) || dockerapi.IsPortTaken(err) {
			c.Info1("A container of %s cannot come back: deploying it again", a.Name)
			return deploy.Start(ctx, c, a, deploy.LatestTag)
		}
		if err != nil {
			return err
		}
		got, err := engine.Inspect(ctx, p.container)
		if err != nil {
			return err
		}
		if err := p.record(a, got); err != nil {
			return err
		}
		if i == 0 || (p.kind == "web" && p.index == 1) {
			if err := errors.Join(a.SetState("PORT", number(got.HostPort)), a.SetState("IP", got.IP)); err != nil {
				return err
			}
		}
	}
	c.Info1("%s is up", a.Name)
	return c.Trigger(ctx, "proxy-build-config", a.Name)
}
