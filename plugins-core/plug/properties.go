package plug

import (
	"context"

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
