package testscripts

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// platform is a private instance of everything that a host with dokku has: a system user of its own, sshd and nginx on
// free ports, the programs as users install them. It uses the engine that DOCKER_HOST names, and leaves nothing there.
type platform struct {
	dir               string // short, because sockets lie below it
	bin               string
	user              string
	root              string // DOKKU_ROOT, the user's home
	lib               string
	sshPort           int
	httpPort, tlsPort int
	key               string
	engine            *engine // of its own; nil: the one that DOCKER_HOST names
	processes         []*exec.Cmd
	beside            canary // what was beside dokku's directories at the beginning
}

// programs builds the three binaries once for all tests and returns their directory.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dokku-bin-")
	if err != nil {
		return "", err
	}
	programDir = dir
	return dir, errors.Join(os.Chmod(dir, 0o755), buildPrograms(dir), os.Symlink("dokku", dir+"/buildstep"))
})

// buildPrograms builds the three binaries in a directory.
func buildPrograms(dir string, flags ...string) error {
	for name, pkg := range map[string]string{"dokku": "../dokku", "sshcommand": "../sshcommand", "pluginhook": "../pluginhook/cmd/pluginhook"} {
		args := append([]string{"build", "-trimpath", "-tags=urfave_cli_no_docs", "-ldflags=-s -w", "-o", filepath.Join(dir, name)}, flags...)
		cmd := exec.Command("go", append(args, pkg)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot build %s: %v\n%s", pkg, err, out)
		}
	}
	return nil
}

// cleanRun runs the tests and removes what programs built.
type cleanRun struct{ *testing.M }

func (m cleanRun) Run() int {
	code := m.M.Run()
	if programDir != "" {
		_ = os.RemoveAll(programDir) // what is left of it is only disk
	}
	return code
}

// programDir is where programs built, "" when it did not.
var programDir string

var platforms atomic.Int32

func newPlatform(t *testing.T) *platform { return newPlatformOn(t, nil) }

// newPlatformOn is newPlatform with an engine of its own.
func newPlatformOn(t *testing.T, engine *engine) *platform {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return newPlatformOf(t, engine, bin)
}

// newPlatformOf is newPlatformOn of the programs in a directory.
func newPlatformOf(t *testing.T, engine *engine, bin string) *platform {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("makes a user and starts sshd and nginx: run as root, or with -short to leave this out")
	}
	for program, debian := range map[string]string{"docker": "docker.io", "nginx": "nginx", "sshd": "openssh-server",
		"ssh": "openssh-client", "git": "git", "curl": "curl", "sudo": "sudo"} {
		if findProgram(program) == "" {
			t.Fatalf("%s is missing: apt-get install %s, or run ./bootstrap.sh test, which does", program, debian)
		}
	}
	dir, err := os.MkdirTemp("/tmp", "dkt")
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{dir: dir, bin: bin, user: fmt.Sprintf("dokkut%d-%d", os.Getpid(), platforms.Add(1)), lib: dir + "/lib", key: dir + "/key", engine: engine}
	p.root = filepath.Join(dir, p.user)
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Errorf("cannot take the platform down: %v", err)
		}
	})
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	p.beside = p.canary(t)
	return p
}

// findProgram looks in PATH and in the directories of daemons.
func findProgram(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/", "/usr/local/sbin/"} {
		if _, err := os.Stat(dir + name); err == nil {
			return dir + name
		}
	}
	return ""
}

func (p *platform) start() error {
	if err := os.Chmod(p.dir, 0o755); err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	p.sshPort, p.httpPort, p.tlsPort = ports[0], ports[1], ports[2]
	return errors.Join(p.makeUser(), p.settings(), p.run(nil, p.bin+"/dokku", "core-install"), p.own(),
		p.startSSHD(), p.startNginx(), p.makeStack())
}

// makeStack lays our programs over the image of the engine that all tests share; on another one no app needs it.
func (p *platform) makeStack() error {
	if p.engine != nil {
		return nil
	}
	return p.run(nil, p.bin+"/dokku", "stack:create", "--from", "dokku/stack:latest")
}

// byUser are the words of pgrep and pkill for what runs as the platform's user: here, not in a container, where others may
// have the same number.
func (p *platform) byUser() []string {
	return []string{"--ns", strconv.Itoa(os.Getpid()), "--nslist", "pid", "-u", p.user}
}

// alive tells whether anything runs as the platform's user.
func (p *platform) alive() bool { return exec.Command("pgrep", p.byUser()...).Run() == nil }

// killAll kills what runs as the platform's user; there may be nothing.
func (p *platform) killAll() {
	_ = exec.Command("pkill", append([]string{"-KILL"}, p.byUser()...)...).Run()
}

// makeUser makes the system user with our own sshcommand, and a key that may use it.
func (p *platform) makeUser() error {
	home := []string{"HOME_DIR=" + p.dir}
	if err := p.run(home, p.bin+"/sshcommand", "create", p.user, fmt.Sprintf("env DOKKU_ROOT=%s %s/dokku", p.root, p.bin)); err != nil {
		return err
	}
	if err := p.run(nil, "usermod", "-aG", "docker", p.user); err != nil {
		return err
	}
	if err := os.Chmod(p.root, 0o755); err != nil {
		return err
	}
	if err := p.run(nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tester@example", "-f", p.key); err != nil {
		return err
	}
	return p.run(nil, p.bin+"/sshcommand", "acl-add", p.user, "tester", p.key+".pub")
}

func (p *platform) settings() error {
	if err := os.MkdirAll(p.lib, 0o755); err != nil {
		return err
	}
	conf := p.dir + "/nginx.conf"
	set := [][2]string{
		{"DOKKU_LIB_ROOT", p.lib}, {"DOKKU_SYSTEM_USER", p.user}, {"DOKKU_SYSTEM_GROUP", p.user},
		{"DOKKU_NGINX_TEST_COMMAND", "nginx -t -c " + conf}, {"DOKKU_NGINX_RELOAD_COMMAND", "nginx -s reload -c " + conf},
		{"DOKKU_NGINX_PID_FILE", p.dir + "/nginx/pid"}, {"DOKKU_NGINX_PORT", strconv.Itoa(p.httpPort)},
		{"DOKKU_NGINX_LOG_ROOT", p.dir + "/nginx"},
		{"DOKKU_NGINX_SSL_PORT", strconv.Itoa(p.tlsPort)}, {"DOKKU_WAIT_TO_RETIRE", "2"}, {"DOKKU_DEFAULT_CHECKS_WAIT", "2"},
		{"DOKKU_CHECKS_TIMEOUT", "15"}, {"DOKKU_BUILD_SLOTS", "16"}, {"DOKKU_STOP_TIMEOUT", "3"},
	}
	if _, err := os.Stat("/usr/bin/docker"); err == nil {
		set = append(set, [2]string{"DOCKER_BIN", "/usr/bin/docker"}) // Debian's, on hosts that have another
	}
	if host := p.dockerHost(); host != "" {
		set = append(set, [2]string{"DOCKER_HOST", host})
	}
	var rc strings.Builder
	for _, kv := range set {
		fmt.Fprintf(&rc, "export %s='%s'\n", kv[0], kv[1])
	}
	return errors.Join(os.WriteFile(p.root+"/dokkurc", []byte(rc.String()), 0o644),
		os.WriteFile(p.root+"/VHOST", []byte("localhost"), 0o644), // without a line's end, as some tools write it
		os.WriteFile(p.root+"/.gitconfig", []byte("[protocol \"file\"]\n\tallow = always\n[safe]\n\tdirectory = *\n"), 0o644))
}

// own gives the user what the plugins write to.
func (p *platform) own() error {
	for _, dir := range []string{"data", "config"} {
		if err := os.MkdirAll(filepath.Join(p.lib, dir), 0o755); err != nil {
			return err
		}
	}
	return p.run(nil, "chown", "-R", p.user+":"+p.user, p.lib+"/data", p.lib+"/config", p.root)
}

func (p *platform) startSSHD() error {
	hostKey := p.dir + "/hostkey"
	if err := p.run(nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", hostKey); err != nil {
		return err
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		return err
	}
	config := fmt.Sprintf("ListenAddress 127.0.0.1\nPort %d\nHostKey %s\nPidFile none\nUsePAM no\nPasswordAuthentication no\n"+
		"KbdInteractiveAuthentication no\nMaxStartups 100\nAcceptEnv DOKKU_CNB_BUILDER DOKKU_EXEC_HOOKS DOKKU_FAILPOINT DOKKU_TEST_MARK DOKKU_WATCH PLUGIN_PATH GIT_PROTOCOL\n", p.sshPort, hostKey)
	if err := os.WriteFile(p.dir+"/sshd_config", []byte(config), 0o600); err != nil {
		return err
	}
	return p.daemon(nil, p.sshPort, findProgram("sshd"), "-D", "-e", "-f", p.dir+"/sshd_config")
}

// startNginx starts one that belongs to the system user, who may therefore reload it.
func (p *platform) startNginx() error {
	work := p.dir + "/nginx"
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	var temp strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "  %s_temp_path %s/%s;\n", kind, work, kind)
	}
	snippet, err := p.command(nil, p.bin+"/dokku", "nginx:http-config").Output()
	if err != nil {
		return err
	}
	config := fmt.Sprintf("pid %s/pid;\nerror_log %s/error.log notice;\ndaemon off;\nworker_processes 2;\nworker_shutdown_timeout 60s;\nevents { worker_connections 1024; }\n"+
		"http {\n%s  access_log off;\n%s}\n", work, work, temp.String(), snippet)
	if err := os.WriteFile(p.dir+"/nginx.conf", []byte(config), 0o644); err != nil {
		return err
	}
	if err := p.run(nil, "chown", p.user, work); err != nil {
		return err
	}
	return p.runNginx()
}

// runNginx starts nginx with the configuration that is there.
func (p *platform) runNginx() error {
	work := p.dir + "/nginx"
	u, err := user.Lookup(p.user)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return p.daemon(attr, p.httpPort, findProgram("nginx"), "-c", p.dir+"/nginx.conf", "-e", work+"/error.log")
}

// daemon starts a program that stays in the foreground and waits until it listens.
func (p *platform) daemon(attr *syscall.SysProcAttr, port int, args ...string) error {
	log, err := os.Create(filepath.Join(p.dir, filepath.Base(args[0])+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr, cmd.Dir = log, log, attr, "/"
	if err := cmd.Start(); err != nil {
		return err
	}
	p.processes = append(p.processes, cmd)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return conn.Close()
		}
	}
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("%s does not listen on port %d:\n%s", args[0], port, text)
}

// command is a program with the environment of the instance, as root on the host.
func (p *platform) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "DOKKU_ROOT="+p.root, p.mark(), "PATH="+p.bin+":/usr/local/sbin:/usr/sbin:/sbin:"+os.Getenv("PATH"))
	if host := p.dockerHost(); host != "" {
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+host)
	}
	cmd.Env = append(cmd.Env, env...)
	cmd.Dir = p.dir
	return cmd
}

func (p *platform) dockerHost() string {
	if p.engine != nil {
		return p.engine.host()
	}
	return os.Getenv("DOCKER_HOST")
}

func (p *platform) run(env []string, args ...string) error {
	var out bytes.Buffer
	cmd := p.command(env, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return nil
}

// sshConfig writes an ssh client's configuration that knows the host as "dokku".
func (p *platform) sshConfig(file string, setEnv []string) error {
	text := fmt.Sprintf("Host dokku\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  IdentityFile %s\n  IdentitiesOnly yes\n"+
		"  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n", p.sshPort, p.user, p.key)
	text += "  SetEnv " + strings.Join(append(setEnv, p.mark()), " ") + "\n"
	return os.WriteFile(file, []byte(text), 0o600)
}

// close takes down all that start put up; an app that a failed script left goes with it.
func (p *platform) close() error {
	var errs []error
	for _, cmd := range p.processes {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	// What still runs as the user, such as a process that waits to end an old container, ends first: it would go back to
	// the release before if the new one's containers were gone.
	for range 50 {
		if !p.alive() {
			break
		}
		p.killAll()
		time.Sleep(20 * time.Millisecond)
	}
	errs = append(errs, p.removeContainers(), p.pruneImages(), p.run(nil, "userdel", "--force", p.user), os.RemoveAll(p.dir))
	return errors.Join(errs...)
}

// removeContainers tries again when another process of the platform is removing one.
func (p *platform) removeContainers() error {
	for try := 0; ; try++ {
		list, err := p.command(nil, "docker", "ps", "-aq", "--filter", "label=com.dokku.instance="+p.root).Output()
		ids := strings.Fields(string(list))
		if err != nil || len(ids) == 0 {
			return err
		}
		if err = p.run(nil, append([]string{"docker", "rm", "-fv"}, ids...)...); err == nil || try == 50 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// pruneImages waits for its turn: the engine does this for one at a time, and refuses it to others.
func (p *platform) pruneImages() error {
	for range 300 {
		err := p.run(nil, "docker", "image", "prune", "-af", "--filter", "label=com.dokku.instance="+p.root)
		if err == nil || !strings.Contains(err.Error(), "a prune operation is already running") {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("cannot remove the platform's images: the engine has been pruning for others for half a minute")
}
