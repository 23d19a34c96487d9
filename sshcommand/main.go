// Command sshcommand turns a system user into a single command that is run over SSH, and keeps the list of keys that may.
package main

import (
	"os"

	"github.com/dokku-go/dokku/sshcommand/sshcmd"
)

func main() { os.Exit(sshcmd.Main(os.Args)) }
