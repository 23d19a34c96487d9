// Package testscripts holds the scripts that show what a user can see, and the harness that runs them.
package testscripts

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dokku-go/dokku/pluginhook/hookcmd"
	"github.com/dokku-go/dokku/sshcommand/sshcmd"
)

var update = flag.Bool("update", false, "rewrite the golden files in the scripts")

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		// Without this every exec of the test binary under -race sleeps for a second at its end.
		os.Setenv("GORACE", "atexit_sleep_ms=10")
	}
	testscript.Main(cleanRun{m}, map[string]func(){
		"pluginhook": func() { os.Exit(hookcmd.Main(os.Args)) },
		"sshcommand": func() { os.Exit(sshcmd.Main(os.Args)) },
	})
}

// TestScript runs every script that needs neither root nor daemons.
func TestScript(t *testing.T) {
	run(t, "pluginhook_*.txtar")
	run(t, "sshcommand_*.txtar")
}

func run(t *testing.T, glob string) {
	files, err := filepath.Glob(glob)
	files = slices.DeleteFunc(files, func(file string) bool {
		sshd, _ := filepath.Match(sshdScripts, file)
		return sshd // see TestSSHD
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts match %s (%v)", glob, err)
	}
	for _, mode := range []string{"", "1"} {
		testscript.Run(t, testscript.Params{
			Files:               files,
			UpdateScripts:       *update,
			RequireExplicitExec: true,
			RequireUniqueNames:  true,
			Setup:               func(env *testscript.Env) error { return setup(env, mode) },
			Cmds:                commands(),
		})
	}
}

// setup makes every file of the script that begins with #! executable and points the toolchain into $WORK.
func setup(env *testscript.Env, execHooks string) error {
	env.Setenv("PLUGIN_PATH", filepath.Join(env.WorkDir, "plugins"))
	env.Setenv("DOKKU_ROOT", filepath.Join(env.WorkDir, "root"))
	env.Setenv("DOKKU_EXEC_HOOKS", execHooks)
	return filepath.WalkDir(env.WorkDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(data), "#!") {
			return err
		}
		return os.Chmod(path, 0o755)
	})
}
