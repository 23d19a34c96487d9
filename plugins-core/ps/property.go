package ps

import (
	"context"
	"fmt"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

const policyKey = "restart-policy"

// policy is when the engine starts the app's containers again: what was set for the app, else by the setting of the
// host. It gives a process that cannot live a number of chances; whoever wants it to have no end says so.
func policy(s settings.Settings, a app.App) (string, error) {
	if text := property.Get(s, pluginName, a.Name, policyKey); text != "" {
		_, err := dockerapi.ParseRestartPolicy(text)
		return text, err
	}
	limit, err := s.Int(settings.RestartLimit, 10)
	if limit == 0 {
		return "no", err
	}
	return fmt.Sprintf("on-failure:%d", limit), err
}

// getProperty prints what holds for an app: APP KEY.
func getProperty(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if c.Arg(1) != policyKey {
		return fmt.Errorf("cannot get %q of %s: the properties are %s", c.Arg(1), a.Name, policyKey)
	}
	text, err := policy(c.Settings(), a)
	if err == nil {
		fmt.Fprintln(c.Stdout, text)
	}
	return err
}

func set(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if c.Arg(1) != policyKey || len(c.Args) > 3 {
		return c.Usage("cannot set %q: the properties are %s", c.Arg(1), policyKey)
	}
	return changePolicy(c, a, c.Arg(2))
}

func setPolicy(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) != 2 {
		return c.Usage("cannot set the restart policy of %s: give one", a.Name)
	}
	return changePolicy(c, a, c.Arg(1))
}

// changePolicy sets the policy of containers to come; "" goes back to that of the host.
func changePolicy(c *plug.C, a app.App, text string) error {
	if text != "" {
		if _, err := dockerapi.ParseRestartPolicy(text); err != nil {
			return err
		}
	}
	if err := property.Set(c.Settings(), pluginName, a.Name, policyKey, text); err != nil {
		return err
	}
	now, err := policy(c.Settings(), a)
	if err != nil {
		return err
	}
	c.Info1("Setting restart-policy of %s to %s", a.Name, now)
	c.Verbose("Containers that run keep theirs until the next deploy, or: dokku ps:restart %s", a.Name)
	return nil
}
