// Package stack is the plugin stack: it makes the images on which apps without a Dockerfile are built and run. One is a
// root file system with our programs and buildpacks laid over it, or an image of others that builds apps already
// (toolchain-2014, sections 9 and 10).
package stack

import (
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "stack",
		Description: "makes the images on which apps without a Dockerfile are built",
		Commands: []plug.Command{
			{Name: "stack:create", Args: createArgs, Help: "Make a stack, the image on which apps are built", Root: true, Run: create},
			{Name: "stack:list", Args: "[--format json]", Help: "List the stacks", Run: list},
			{Name: "stack:report", Args: report().Args(), Help: "Show what stacks are made of", Run: report().Run},
		},
	}
}
