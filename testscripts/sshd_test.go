package testscripts

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// sshdScripts are the scripts that make a user of the system and talk to a real sshd.
const sshdScripts = "sshcommand_sshd_*.txtar"

// TestSSHD runs the scripts that need root and sshd. Each has a user name of its own, $SSHUSER. The script makes the
// user, if it wants to; it is deleted at the end of the script, however that comes about.
func TestSSHD(t *testing.T) {
	if testing.Short() {
		t.Skip("makes users and starts sshd: not in short mode")
	}
	if os.Geteuid() != 0 {
		t.Fatal("makes users and starts sshd: run as root, or with -short to leave this out")
	}
	// The users of the scripts have to reach files below it.
	root, err := os.MkdirTemp("", "sshd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(sshdScripts)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts match %s (%v)", sshdScripts, err)
	}
	var users atomic.Int32
	testscript.Run(t, testscript.Params{
		Files:               files,
		WorkdirRoot:         root,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands(),
		Setup: func(env *testscript.Env) error {
			user := fmt.Sprintf("sshcmdtest%d-%d", os.Getpid(), users.Add(1))
			env.Setenv("SSHUSER", user)
			env.Setenv("HOMEDIR", "/home/"+user)
			env.Defer(func() {
				if err := removeUser(user); err != nil {
					t.Error(err)
				}
			})
			return setup(env, "")
		},
	})
}
