package plug

import (
	"context"
	"fmt"
)

// BuilderNames is the hook builder-names of a builder's plugin: which builders there are.
func BuilderNames(builder string) Hook {
	return func(_ context.Context, c *C) error {
		fmt.Fprintln(c.Stdout, builder)
		return nil
	}
}

// BuilderReason is its hook builder-reason, BUILDER APP DIR: what in a tree, or in the app's settings, has the builder
// ask for it.
func BuilderReason(builder string, why func(c *C) string) Hook {
	return func(_ context.Context, c *C) error {
		if c.Arg(0) == builder {
			fmt.Fprintln(c.Stdout, why(c))
		}
		return nil
	}
}
