package nginxvhosts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// ignoreKey is the property by which templates in an app's source do not count.
const ignoreKey = "disable-custom-config"

// setVerb sets a property of an app, or of all; without a value it goes back to the default. What is set decides what a
// template may do to the host.
func setVerb(ctx context.Context, c *plug.C) error {
	name, key := c.Arg(0), c.Arg(1)
	if slices.Contains(logKeys(), key) {
		return setLog(ctx, c)
	}
	if name != property.Global {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		name = a.Name
	}
	if len(c.Args) < 2 || len(c.Args) > 3 {
		return c.Usage("cannot set anything: give APP or --global, a property, and its value")
	}
	value, err := checkProperty(c, key, strings.TrimSpace(c.Arg(2)))
	if err != nil {
		return err
	}
	if err := c.Admin(ctx); err != nil {
		return err
	}
	if err := property.Set(c.Settings(), pluginName, name, key, value); err != nil {
		return fmt.Errorf("cannot set %s of %s: %w", key, name, err)
	}
	if value == "" {
		c.Info1("Unsetting %s", key)
	} else {
		c.Info1("Setting %s to %s", key, value)
	}
	return nil
}

// checkProperty is a value as it is kept.
func checkProperty(c *plug.C, key, value string) (string, error) {
	switch key {
	case hosts.SigilPathKey:
		return hosts.CleanSigilPath(value)
	case ignoreKey:
		if value != "" && value != "true" && value != "false" {
			return "", c.Usage("cannot set %s to %q: it is true or false", key, value)
		}
		return value, nil
	}
	return "", c.Usage("cannot set %q: the properties are %s, %s, %s; write anything else into a file in nginx.conf.d", key, hosts.SigilPathKey, ignoreKey, strings.Join(logKeys(), ", "))
}

func reporter() plug.Reporter { return plug.Reporter{Area: "nginx", Of: reportOf} }

func reportOf(ctx context.Context, c *plug.C, a app.App) (plug.Facts, error) {
	s := &site{c: c, s: c.Settings(), app: a}
	t, err := s.template(ctx)
	if err != nil {
		return nil, err
	}
	from := "built-in"
	if t != nil {
		from = t.from
	}
	return plug.Facts{
		{Name: "template", Value: from},
		{Name: hosts.SigilPathKey, Value: hosts.SigilPath(s.s, a.Name)},
		{Name: ignoreKey, Value: fmt.Sprint(s.ownsIgnored())},
	}, nil
}

// forget removes the properties of an app that is destroyed.
func forget(_ context.Context, c *plug.C) error {
	return property.Destroy(c.Settings(), pluginName, c.Arg(0))
}
