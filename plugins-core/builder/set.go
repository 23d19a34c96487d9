package builder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// keys are the properties in the order of the report.
func keys() []string {
	return []string{deploy.SelectedKey, deploy.BuildDirKey, deploy.SkipCleanupKey, deploy.BuildMemoryKey, deploy.BuildCPUsKey, deploy.BuildTimeoutKey}
}

// limits are those that keep a build from taking the host.
func limits() []string {
	return []string{deploy.BuildMemoryKey, deploy.BuildCPUsKey, deploy.BuildTimeoutKey}
}

// set is builder:set: APP|--global PROPERTY [VALUE].
func set(ctx context.Context, c *plug.C) error {
	name, key := c.Arg(0), c.Arg(1)
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
	if !slices.Contains(keys(), key) {
		return c.Usage("cannot set %q: the properties are %s", key, strings.Join(keys(), ", "))
	}
	value := strings.TrimSpace(c.Arg(2))
	if value != "" {
		clean, err := check(ctx, c, key, value)
		if err != nil {
			return fmt.Errorf("cannot set %s to %q: %w", key, value, err)
		}
		value = clean
	}
	// What is global, and what an app may take of the host, is not for who may only deploy.
	if name == property.Global || slices.Contains(limits(), key) {
		if err := c.Admin(ctx); err != nil {
			return err
		}
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

// check is a value as it is kept.
func check(ctx context.Context, c *plug.C, key, value string) (string, error) {
	switch key {
	case deploy.SelectedKey:
		return value, deploy.CheckBuilder(ctx, c, value)
	case deploy.BuildDirKey:
		return cleanDir(value)
	case deploy.SkipCleanupKey:
		if value != "true" && value != "false" {
			return "", errors.New("it is true or false")
		}
		return value, nil
	}
	return value, deploy.CheckLimit(key, value)
}

// cleanDir is a directory of the source in its shortest form.
func cleanDir(value string) (string, error) {
	clean, err := deploy.SourcePath(value)
	if err != nil {
		return "", err
	}
	if clean == "." {
		return "", errors.New("that is all of the source; to have that built, give no value")
	}
	return clean, nil
}
