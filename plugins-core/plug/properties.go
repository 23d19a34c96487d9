package plug

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/property"
)

// CloneProperties is post-app-clone-setup of a plugin that keeps nothing of an app but properties: OLD NEW. Those of
// the keys in except stay with the old one.
func CloneProperties(plugin string, except ...string) Hook {
	return func(_ context.Context, c *C) error {
		return property.Clone(c.Settings(), plugin, c.Arg(0), c.Arg(1), except...)
	}
}

// MoveProperties is post-app-rename-setup of such a plugin: OLD NEW.
func MoveProperties(plugin string) Hook {
	return func(_ context.Context, c *C) error { return property.Move(c.Settings(), plugin, c.Arg(0), c.Arg(1)) }
}

// DestroyProperties is its post-delete: APP.
func DestroyProperties(plugin string) Hook {
	return func(_ context.Context, c *C) error { return property.Destroy(c.Settings(), plugin, c.Arg(0)) }
}

// Setter is a verb PLUGIN:set with today's words: APP|--global PROPERTY [VALUE]; no value takes the property away.
type Setter struct {
	Plugin string
	Keys   []string
	Check  func(ctx context.Context, c *C, key, value string) (string, error) // returns the value as it is kept
	Admin  func(key string) bool                                              // tells what only an admin sets for an app; nil: nothing
}

// Run sets a property. What is global is not for who may only deploy.
func (s Setter) Run(ctx context.Context, c *C) error {
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
	if !slices.Contains(s.Keys, key) {
		are := "the properties are "
		if len(s.Keys) == 1 {
			are = "the only property is "
		}
		return c.Usage("cannot set %q: %s%s", key, are, strings.Join(s.Keys, ", "))
	}
	value := strings.TrimSpace(c.Arg(2))
	if value != "" {
		clean, err := s.Check(ctx, c, key, value)
		if err != nil {
			return fmt.Errorf("cannot set %s to %q: %w", key, value, err)
		}
		value = clean
	}
	if name == property.Global || s.Admin != nil && s.Admin(key) {
		if err := c.Admin(ctx); err != nil {
			return err
		}
	}
	if err := property.Set(c.Settings(), s.Plugin, name, key, value); err != nil {
		return fmt.Errorf("cannot set %s of %s: %w", key, name, err)
	}
	if value == "" {
		c.Info1("Unsetting %s", key)
	} else {
		c.Info1("Setting %s to %s", key, value)
	}
	return nil
}
