package testscripts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// platformScripts are the areas whose scripts run against a whole platform: real sshd, git, docker and nginx.
var platformScripts = []string{"checks_*.txtar", "stack_*.txtar", "dokku_*.txtar", "git_*.txtar", "deploy_*.txtar", "release_*.txtar"}

// ownScripts break nginx' configuration on purpose, or are about all apps of a host, so each has a platform to itself.
var ownScripts = []string{"nginx_*.txtar", "host_*.txtar"}

// TestPlatform runs the scripts against a platform, with the hooks of core plugins in process and executed.
func TestPlatform(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	p := newPlatform(t)
	var files []string
	for _, glob := range platformScripts {
		matches, err := filepath.Glob(glob)
		if err != nil || len(matches) == 0 {
			t.Fatalf("no scripts match %s (%v)", glob, err)
		}
		files = append(files, matches...)
	}
	p.runScripts(t, files)
}

// TestNginx runs the scripts that need a platform each.
func TestNginx(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	var files []string
	for _, glob := range ownScripts {
		matches, err := filepath.Glob(glob)
		if err != nil || len(matches) == 0 {
			t.Fatalf("no scripts match %s (%v)", glob, err)
		}
		files = append(files, matches...)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".txtar"), func(t *testing.T) {
			t.Parallel()
			newPlatform(t).runScripts(t, []string{file})
		})
	}
}

// executedScripts are those that also run with hooks executed unless DOKKU_TEST_FULL has all of them do so: what differs
// is how a hook is started, and between them these start every kind of it, in little time.
var executedScripts = []string{"dokku_*", "checks_verbs*", "git_push*", "deploy_hook*", "deploy_ps*", "deploy_run_logs*",
	"deploy_docker_options*", "release_rollback*", "nginx_tls*", "nginx_domains*", "nginx_backup*", "host_hooks*"}

// runScripts runs scripts with the hooks of core plugins in process, and executed.
func (p *platform) runScripts(t *testing.T, files []string) {
	for _, mode := range []string{"", "1"} {
		name := map[string]string{"": "in_process", "1": "executed"}[mode]
		if mode != "" && os.Getenv("DOKKU_TEST_FULL") == "" {
			files = slices.DeleteFunc(slices.Clone(files), func(file string) bool { return !isExecuted(file) })
		}
		if len(files) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			work := filepath.Join(p.dir, name)
			if err := os.Mkdir(work, 0o755); err != nil {
				t.Fatal(err)
			}
			testscript.Run(t, testscript.Params{
				Files: files, UpdateScripts: *update && mode == "", RequireExplicitExec: true, RequireUniqueNames: true,
				Cmds: commands(), WorkdirRoot: work,
				Setup: func(env *testscript.Env) error { return p.setup(t, env, mode) },
			})
		})
	}
}

func isExecuted(file string) bool {
	return slices.ContainsFunc(executedScripts, func(glob string) bool {
		ok, err := filepath.Match(glob, file)
		return ok && err == nil
	})
}

var appNames atomic.Int32

// setup gives a script an app name of its own, $APP, and a git and ssh that reach the platform as "dokku". The app is
// destroyed at the script's end.
func (p *platform) setup(t *testing.T, env *testscript.Env, mode string) error {
	if err := setup(env, mode); err != nil {
		return err
	}
	// Plugins of a script may write there, as the system user.
	if err := os.Chmod(env.WorkDir, 0o777); err != nil {
		return err
	}
	plugins, err := p.plugins(env.WorkDir)
	if err != nil {
		return err
	}
	config := env.WorkDir + "/.ssh_config"
	setEnv, err := cnbSettings(env.WorkDir)
	if err != nil {
		return err
	}
	for _, kv := range setEnv {
		key, value, _ := strings.Cut(kv, "=")
		env.Setenv(key, value)
	}
	setEnv = append(setEnv, "PLUGIN_PATH="+plugins)
	if mode != "" {
		setEnv = append(setEnv, "DOKKU_EXEC_HOOKS="+mode)
	}
	if err := p.sshConfig(config, setEnv); err != nil {
		return err
	}
	name := fmt.Sprintf("t%d-%d", os.Getpid(), appNames.Add(1))
	for key, value := range map[string]string{
		"APP": name, "APP2": name + "b", "DOKKU_ROOT": p.root, "PLUGIN_PATH": plugins, "DOKKU_LIB_ROOT": p.lib, "DOKKU_USER": p.user,
		"PATH": p.bin + ":/usr/local/sbin:/usr/sbin:/sbin:" + env.Getenv("PATH"), "HOME": env.WorkDir, "BIN": p.bin,
		"SSH_CONFIG": config, "GIT_SSH_COMMAND": "ssh -F " + config, "SSH_PORT": strconv.Itoa(p.sshPort),
		"HTTP_PORT": strconv.Itoa(p.httpPort), "TLS_PORT": strconv.Itoa(p.tlsPort),
		"URL":             fmt.Sprintf("http://%s.localhost:%d", name, p.httpPort),
		"GIT_AUTHOR_NAME": "tester", "GIT_AUTHOR_EMAIL": "tester@example", "GIT_COMMITTER_NAME": "tester", "GIT_COMMITTER_EMAIL": "tester@example",
		"GIT_CONFIG_GLOBAL": env.WorkDir + "/.gitconfig", "EXAMPLES": mustAbs("../docs/examples"), "GOCACHE": goEnv("GOCACHE"), "GOMODCACHE": goEnv("GOMODCACHE"),
	} {
		env.Setenv(key, value)
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		env.Setenv("DOCKER_HOST", host)
	}
	if err := os.WriteFile(env.WorkDir+"/.gitconfig", []byte("[init]\n\tdefaultBranch = master\n[protocol \"file\"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n"), 0o644); err != nil {
		return err
	}
	env.Defer(func() {
		for _, app := range []string{name, name + "b"} {
			if _, err := os.Stat(filepath.Join(p.root, app)); err == nil {
				if err := p.run(nil, p.bin+"/dokku", "apps:destroy", "--force", app); err != nil {
					t.Errorf("cannot destroy %s: %v", app, err)
				}
			}
		}
	})
	return nil
}

// plugins returns the plugin path of a script: the platform's, or, when the script brings plugins of its own in
// plugins/, that directory with links to the core plugins in it, so that other scripts do not see them.
func (p *platform) plugins(work string) (string, error) {
	own := filepath.Join(work, "plugins")
	if _, err := os.Stat(own); err != nil {
		return p.lib + "/plugins", nil
	}
	core, err := filepath.Glob(p.lib + "/core-plugins/available/*")
	if err != nil {
		return "", err
	}
	for _, sub := range []string{"", "available", "enabled"} {
		if err := os.MkdirAll(filepath.Join(own, sub), 0o755); err != nil {
			return "", err
		}
		for _, dir := range core {
			if err := os.Symlink(dir, filepath.Join(own, sub, filepath.Base(dir))); err != nil {
				return "", err
			}
		}
	}
	return own, nil
}

func mustAbs(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return abs
}

var goEnv = func(key string) string {
	out, err := exec.Command("go", "env", key).Output()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(out))
}
