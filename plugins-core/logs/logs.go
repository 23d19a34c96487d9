// Package logs is the plugin that shows the output of apps.
package logs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "logs",
		Description: "shows the output of apps",
		Commands: []plug.Command{
			{Name: "logs", Args: "[-t] [-n NUM] [-p PROCESS] APP", Help: "Show the last logs for an application (-t follows)", Run: logs},
			{Name: "logs:failed", Args: "APP|--all", Help: "Show what the containers of the last failed deploy have said", Run: failed},
		},
	}
}

func logs(ctx context.Context, c *plug.C) error {
	tail, num, process := "false", "100", ""
	var words []string
	args := c.Args
	for i := 0; i < len(args); i++ {
		value := func() string {
			if i++; i < len(args) {
				return args[i]
			}
			return ""
		}
		switch arg := args[i]; arg {
		case "-t", "--tail":
			tail = "true"
		case "-n", "--num":
			num = value()
		case "-p", "--ps":
			process = value()
		case "-q", "--quiet":
		default:
			if strings.HasPrefix(arg, "-") {
				return c.Usage("cannot show the logs: unknown option %q", arg)
			}
			words = append(words, arg)
		}
	}
	if n, err := strconv.Atoi(num); err != nil || n < 0 {
		return c.Usage("cannot show %q lines: give a whole number", num)
	}
	if len(words) == 0 {
		return c.Usage("Please specify an app to run the command on")
	}
	if len(words) > 1 {
		return c.Usage("cannot show the logs of %d apps: name one", len(words))
	}
	c.Args = words
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if a.State("CONTAINER") == "" {
		fmt.Fprintln(c.Stdout, "Application's container not found")
		return nil
	}
	scheduler, err := deploy.SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	return c.Trigger(ctx, "scheduler-logs", scheduler, a.Name, process, tail, "false", num)
}

// failed prints what the containers of the last deploy that failed have said, of one app or of each.
func failed(ctx context.Context, c *plug.C) error {
	if len(c.Args) != 1 {
		return c.Usage("cannot show the logs of a failed deploy: name one app, or --all")
	}
	names := c.Args
	if names[0] == "--all" {
		var err error
		if names, err = app.List(c.Settings().Root()); err != nil {
			return err
		}
	} else if _, err := c.App(0); err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		scheduler, err := deploy.SchedulerOf(ctx, c, app.App{Name: name, Root: c.Settings().Root()})
		if err == nil {
			err = c.Trigger(ctx, "scheduler-logs-failed", scheduler, name)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
