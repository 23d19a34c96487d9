// Command dokku is the platform's front end: `git push dokku@host:app` and the verbs of its plugins.
package main

import (
	"os"

	"github.com/dokku-go/dokku/dokku/dokkucmd"
)

func main() { os.Exit(dokkucmd.Main(os.Args)) }
