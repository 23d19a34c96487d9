// Package run is the plugin that runs a command in a container of an app's image.
package run

import (
	"context"
	"fmt"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "run",
		Description: "runs commands beside an app",
		Commands: []plug.Command{
			{Name: "run", Args: "[--no-tty] APP COMMAND [ARG ...]", Help: "Run a command in the environment of an application", Run: run},
		},
	}
}

func run(ctx context.Context, c *plug.C) error {
	words := c.Args
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		switch words[0] {
		case "--no-tty":
			c = c.With("DOKKU_DISABLE_TTY", "true")
		case "--rm", "--rm-container": // what we always do
		default:
			return c.Usage("cannot run a command: unknown option %q", words[0])
		}
		words = words[1:]
	}
	c.Args = words
	if name := c.Getenv(settings.AppName); name != "" {
		c.Args = append([]string{name}, words...)
	}
	if len(c.Args) == 0 {
		return c.Usage("Please specify an app to run the command on")
	}
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) < 2 {
		return c.Usage("cannot run nothing: give a command")
	}
	if a.State("CONTAINER") == "" {
		return fmt.Errorf("cannot run a command in %q: it was never deployed", a.Name)
	}
	scheduler, err := deploy.SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	// The command reads our stdin, so the hook has to get it.
	return c.Runner.Broadcast(ctx, c.Stdin, c.Stdout, c.Stderr, "scheduler-run", append([]string{scheduler, a.Name}, c.Args[1:]...)...)
}
