// Package proxy is the plugin of the commands that put apps behind the proxy and take them out of it.
package proxy

import (
	"context"
	"fmt"
	"io"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "proxy",
		Description: "puts apps behind the proxy",
		Hooks:       map[string]plug.Hook{"proxy-is-enabled": isEnabled, "report": reporter().Hook},
		Commands: []plug.Command{
			{Name: "proxy:enable", Args: "APP", Help: "Serve an application through the proxy", Run: turn(true)},
			{Name: "proxy:disable", Args: "APP", Help: "Serve an application at a port of its own, without the proxy", Run: turn(false)},
			{Name: "proxy:set", Args: "APP TYPE", Help: "Choose the proxy of an application", Run: set},
			{Name: "proxy:build-config", Args: "APP", Help: "Write the proxy's configuration of an application anew", Run: buildConfig},
			{Name: "proxy:report", Args: reporter().Args(), Help: "Show how applications are behind the proxy", Run: reporter().Run, Aliases: []string{"proxy"}},
		},
	}
}

// enabled tells whether the app's variables leave it behind the proxy.
func enabled(a app.App) (bool, error) {
	vars, err := a.MergedEnv()
	return vars[hosts.DisableProxy] == "" || vars[hosts.DisableProxy] == "0", err
}

func isEnabled(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	on, err := enabled(a)
	if err == nil {
		fmt.Fprintln(c.Stdout, on)
	}
	return err
}

// turn is proxy:enable or proxy:disable. Whether a port is open to others is decided when containers are made, so a
// running app is restarted.
func turn(on bool) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		if len(c.Args) > 1 {
			return c.Usage("cannot use %q: too many words", c.Args[1])
		}
		was, err := enabled(a)
		if err != nil {
			return err
		}
		if was == on {
			c.Verbose("Nothing changed")
			return nil
		}
		quiet := c.WithOutput(io.Discard, c.Stderr)
		if on {
			c.Info1("Enabling proxy for app (%s)", a.Name)
			err = quiet.Trigger(ctx, "config-unset", "--no-restart", a.Name, hosts.DisableProxy)
		} else {
			c.Info1("Disabling proxy for app (%s)", a.Name)
			err = quiet.Trigger(ctx, "config-set", "--no-restart", a.Name, hosts.DisableProxy+"=1")
		}
		if err != nil {
			return err
		}
		return deploy.Restart(ctx, c, a, "proxy")
	}
}

// set takes the one proxy that there is.
func set(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) != 2 {
		return c.Usage("cannot set the proxy of %q: give its type", a.Name)
	}
	kind, err := c.FirstLine(ctx, "proxy-type", a.Name)
	if err != nil {
		return err
	}
	if c.Args[1] != kind {
		return fmt.Errorf("cannot set the proxy of %q to %q: there is %s only", a.Name, c.Args[1], kind)
	}
	return nil
}

func buildConfig(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	return c.Lock(ctx, a, func(c *plug.C) error { return deploy.Reproxy(ctx, c, a) })
}

func reporter() plug.Reporter { return plug.Reporter{Area: "proxy", Of: reportOf} }

func reportOf(ctx context.Context, c *plug.C, a app.App) (plug.Facts, error) {
	on, err := enabled(a)
	if err != nil {
		return nil, err
	}
	kind, err := c.FirstLine(ctx, "proxy-type", a.Name)
	if err != nil {
		return nil, err
	}
	vars, err := a.Env()
	return plug.Facts{{Name: "enabled", Value: fmt.Sprint(on)}, {Name: "type", Value: kind}, {Name: "port map", Value: vars[hosts.PortMap]}}, err
}
