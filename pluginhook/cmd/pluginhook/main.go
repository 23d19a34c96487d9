// Command pluginhook runs the hooks of plugins; see package hookcmd.
package main

import (
	"os"

	"github.com/dokku-go/dokku/pluginhook/hookcmd"
)

func main() { os.Exit(hookcmd.Main(os.Args)) }
