package ps

import (
	"context"
	"fmt"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

func reporter() plug.Reporter { return plug.Reporter{Area: pluginName, Of: reportOf, Bare: true} }

// state is a container of an app and how it is.
type state struct {
	process, container, status string
}

// states lists the containers that the app's state files name. known has the status of each container by its id.
func states(a app.App, known map[string]string) []state {
	var out []state
	for _, file := range a.StateFiles("CONTAINER.*") {
		id := a.State(file)
		status := known[id]
		if status == "" {
			status = "missing"
		}
		out = append(out, state{process: strings.TrimPrefix(file, "CONTAINER."), container: id, status: status})
	}
	return out
}

// statuses asks the engine for the status of the containers of an app, of all with "".
func statuses(ctx context.Context, c *plug.C, name string) (map[string]string, error) {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	list, err := engine.List(ctx, name, "deploy")
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	for _, item := range list {
		known[item.ID] = item.Status
	}
	return known, nil
}

func reportOf(ctx context.Context, c *plug.C, a app.App) (plug.Facts, error) {
	counts, err := scale.Read(a)
	if err != nil {
		return nil, err
	}
	total := 0
	for _, p := range counts {
		total += p.Count
	}
	restart, err := policy(c.Settings(), a)
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	if deploy.Deployed(a) {
		if known, err = statuses(ctx, c, a.Name); err != nil {
			return nil, err
		}
	}
	list := states(a, known)
	up := 0
	facts := plug.Facts{
		{Name: "deployed", Value: fmt.Sprint(deploy.Deployed(a)), Bare: true},
		{Name: "processes", Value: fmt.Sprint(total), Bare: true},
		{Name: "can scale", Value: "true"},
		{Name: "restart policy", Value: restart},
	}
	for _, s := range list {
		if s.status == "running" {
			up++
		}
	}
	running := "mixed"
	switch up {
	case 0:
		running = "false"
	case len(list):
		running = "true"
	}
	facts = append(facts, plug.Fact{Name: "running", Value: running, Bare: true})
	for _, s := range list {
		facts = append(facts, plug.Fact{Name: "status " + strings.ReplaceAll(s.process, ".", " "), Value: fmt.Sprintf("%s (CID: %.11s)", s.status, s.container), Bare: true})
	}
	return facts, nil
}

// listAll is a table of all apps and their containers.
func listAll(ctx context.Context, c *plug.C) error {
	if len(c.Args) > 0 {
		return c.Usage("cannot use %q: too many words", c.Args[0])
	}
	names, err := app.List(c.Settings().Root())
	if err != nil {
		return err
	}
	known, err := statuses(ctx, c, "")
	if err != nil {
		return err
	}
	row := func(format, name, process, id, status string) {
		fmt.Fprintln(c.Stdout, strings.TrimRight(fmt.Sprintf(format, name, process, id, status), " "))
	}
	const columns = "%-25s %-25s %-25s %-25s"
	if !c.Settings().On(settings.Quiet) {
		c.Info1("%s", strings.TrimRight(fmt.Sprintf("%-18s %-25s %-25s %-25s", "App Name", "Container Type", "Container Id", "Status"), " "))
	}
	for _, name := range names {
		list := states(app.App{Name: name, Root: c.Settings().Root()}, known)
		if len(list) == 0 {
			row(columns, name, "NOT_DEPLOYED", "NOT_DEPLOYED", "NOT_DEPLOYED")
		}
		for _, s := range list {
			row(columns, name, s.process, fmt.Sprintf("%.12s", s.container), s.status)
		}
	}
	return nil
}

// inspect has the scheduler print what is known of an app's containers.
func inspect(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) > 1 {
		return c.Usage("cannot use %q: too many words", c.Args[1])
	}
	if !deploy.Deployed(a) {
		return fmt.Errorf("cannot inspect %q: it was never deployed", a.Name)
	}
	scheduler, err := deploy.SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	return c.Trigger(ctx, "scheduler-inspect", scheduler, a.Name)
}
