// Package run is the plugin that runs a command in a container of an app's image.
package run

import (
	"context"
	"fmt"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "run",
		Description: "runs commands beside an app",
		Commands: []plug.Command{
			{Name: "run", Raw: true, Args: "[--no-tty] APP COMMAND [ARG ...]", Help: "Run a command in the environment of an application", Run: run},
			{Name: "enter", Raw: true, Args: "[--no-tty] APP [PROCESS [COMMAND [ARG ...]]]", Help: "Run a shell or a command in a container that serves", Run: enter},
		},
	}
}

func run(ctx context.Context, c *plug.C) error {
	// Our options stand before the app or right behind it; what follows belongs to the command.
	words := c.Args
	var name []string
	for len(words) > 0 {
		switch word := words[0]; {
		case word == "--no-tty":
			c = c.With("DOKKU_DISABLE_TTY", "true")
		case word == "--rm" || word == "--rm-container": // what we always do
		case strings.HasPrefix(word, "-") && len(name) == 0:
			return c.Usage("cannot run a command: unknown option %q", word)
		case len(name) == 0:
			name = []string{word}
		default:
			name = append(name, words...)
			words = words[:1]
		}
		words = words[1:]
	}
	c.Args = name
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

// enter runs a command, by default a shell, in a container that is there.
func enter(ctx context.Context, c *plug.C) error {
	for len(c.Args) > 0 && strings.HasPrefix(c.Args[0], "-") {
		if c.Args[0] != "--no-tty" {
			return c.Usage("cannot enter an app: unknown option %q", c.Args[0])
		}
		args := c.Args[1:]
		c = c.With("DOKKU_DISABLE_TTY", "true")
		c.Args = args
	}
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if a.State("CONTAINER") == "" {
		return fmt.Errorf("cannot enter %q: it does not run", a.Name)
	}
	scheduler, err := deploy.SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	words := append([]string{scheduler, a.Name, c.Arg(1)}, c.Args[min(2, len(c.Args)):]...)
	return c.Runner.Broadcast(ctx, c.Stdin, c.Stdout, c.Stderr, "scheduler-enter", words...)
}
