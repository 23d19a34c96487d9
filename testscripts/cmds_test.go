package testscripts

import (
	"maps"

	"github.com/rogpeppe/go-internal/testscript"
)

// commands is the vocabulary of the scripts beside testscript's own.
func commands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	cmds := map[string]func(ts *testscript.TestScript, neg bool, args []string){}
	maps.Copy(cmds, sshCommands())
	maps.Copy(cmds, pluginhookCommands())
	return cmds
}
