package domains

import (
	"context"
	"fmt"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// list prints the names of an app under a headline.
func list(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	names, err := hosts.Of(ctx, c, a)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		//lint:ignore ST1005 scripts know this text
		return fmt.Errorf("No domain names set for %s", a.Name)
	}
	c.Info2Quiet("%s Domain Names", a.Name)
	for _, name := range names {
		fmt.Fprintln(c.Stdout, name)
	}
	return nil
}

func reporter() plug.Reporter {
	return plug.Reporter{Area: pluginName, Of: reportOf, Global: reportGlobal}
}

func reportOf(ctx context.Context, c *plug.C, a app.App) (plug.Facts, error) {
	names, own, err := hosts.Own(a)
	if err == nil && !own {
		names, err = hosts.Defaults(ctx, c, a)
	}
	if err != nil {
		return nil, err
	}
	on, err := hosts.On(a)
	if err != nil {
		return nil, err
	}
	global, err := reportGlobal(ctx, c)
	return append(plug.Facts{
		{Name: "app enabled", Value: fmt.Sprint(on && len(names) > 0)},
		{Name: "app vhosts", Value: strings.Join(names, " ")},
		{Name: "app own", Value: fmt.Sprint(own)},
	}, global...), err
}

func reportGlobal(_ context.Context, c *plug.C) (plug.Facts, error) {
	global, err := hosts.Global(c.Settings().Root(), hosts.File)
	return plug.Facts{
		{Name: "global enabled", Value: fmt.Sprint(len(global) > 0)},
		{Name: "global vhosts", Value: strings.Join(global, " ")},
	}, err
}
