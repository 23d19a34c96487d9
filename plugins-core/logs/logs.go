// Package logs is the plugin that shows the output of apps.
package logs

import (
	"context"
	"fmt"
	"strconv"
	"strings"

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
