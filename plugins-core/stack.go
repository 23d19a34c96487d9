package core

import (
	"io"

	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
)

// Stack runs one of the programs of containers of the stack image, in such a container, and returns its status.
func Stack(args []string, stdout, stderr io.Writer) int { return buildstep.Main(args, stdout, stderr) }
