// Command gen writes the core plugins' files into the checkout, so that PLUGIN_PATH can point at it.
package main

import (
	"fmt"
	"os"

	core "github.com/dokku-go/dokku/plugins-core"
)

func main() {
	if _, err := core.Write("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
