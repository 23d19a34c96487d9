package testscripts

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// benchPlatform is newPlatform for benchmarks: a benchmark of testing has no t, and one platform serves all of it.
func benchPlatform(b *testing.B) *platform {
	b.Helper()
	var p *platform
	ready, done := make(chan bool), make(chan bool)
	finished := make(chan bool)
	go func() {
		defer close(finished)
		testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "platform", F: func(t *testing.T) {
			defer func() {
				if p == nil {
					close(ready)
				}
			}()
			p = newPlatform(t)
			close(ready)
			<-done
		}}})
	}()
	<-ready
	if p == nil {
		b.Fatal("cannot start a platform; see above")
	}
	b.Cleanup(func() { close(done); <-finished })
	return p
}

// times runs a command b.N times and reports milliseconds and CPU time of one.
func times(b *testing.B, make func() *exec.Cmd) {
	b.Helper()
	var cpu time.Duration
	for b.Loop() {
		cmd := make()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(0, "ns/op")
}

// as makes a command of the platform's that runs as its system user.
func (p *platform) as(b *testing.B, env []string, args ...string) *exec.Cmd {
	b.Helper()
	u, err := user.Lookup(p.user)
	if err != nil {
		b.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	cmd := p.command(env, args...)
	groups := []uint32{uint32(gid)}
	if g, err := user.LookupGroup("docker"); err == nil {
		n, _ := strconv.Atoi(g.Gid)
		groups = append(groups, uint32(n))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: groups}}
	return cmd
}

// BenchmarkCommand times whole commands, beside the start of a static Go program that does nothing.
func BenchmarkCommand(b *testing.B) {
	p := benchPlatform(b)
	dokku := p.bin + "/dokku"
	empty := buildEmpty(b, p.dir)
	for _, args := range [][]string{{"apps:create", "one"}, {"config:set", "--no-restart", "one", "KEY=value"}} {
		if err := p.run(nil, append([]string{dokku}, args...)...); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("floor_empty_program", func(b *testing.B) { times(b, func() *exec.Cmd { return p.as(b, nil, empty) }) })
	cases := []struct {
		name string
		args []string
	}{
		{"version", []string{"version"}}, {"apps_list", []string{"apps:list"}}, {"config_get", []string{"config:get", "one", "KEY"}},
		{"url", []string{"url", "one"}}, {"help", []string{"help"}},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			times(b, func() *exec.Cmd { return p.as(b, nil, append([]string{dokku}, c.args...)...) })
		})
	}
	b.Run("version_as_root", func(b *testing.B) { times(b, func() *exec.Cmd { return p.command(nil, dokku, "version") }) })
	b.Run("version_core_hook_executed", func(b *testing.B) {
		times(b, func() *exec.Cmd { return p.as(b, []string{"DOKKU_EXEC_HOOKS=1"}, dokku, "version") })
	})
	plugins := p.manyPlugins(b, 50)
	b.Run("version_50_more_plugins", func(b *testing.B) {
		times(b, func() *exec.Cmd { return p.as(b, []string{"PLUGIN_PATH=" + plugins}, dokku, "version") })
	})
	for i := range 999 {
		if err := os.Mkdir(filepath.Join(p.root, fmt.Sprintf("app%d", i)), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range cases[1:4] {
		b.Run(c.name+"_of_1000_apps", func(b *testing.B) {
			times(b, func() *exec.Cmd { return p.as(b, nil, append([]string{dokku}, c.args...)...) })
		})
	}
	config := p.dir + "/bench_ssh"
	if err := p.sshConfig(config, nil); err != nil {
		b.Fatal(err)
	}
	b.Run("ssh_version", func(b *testing.B) {
		times(b, func() *exec.Cmd { return p.command(nil, "ssh", "-F", config, "dokku", "version") })
	})
}

func buildEmpty(b *testing.B, dir string) string {
	b.Helper()
	source, program := filepath.Join(b.TempDir(), "main.go"), filepath.Join(dir, "empty")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return program
}

// manyPlugins makes a plugin path with the core plugins and n others of twenty hooks each.
func (p *platform) manyPlugins(b *testing.B, n int) string {
	b.Helper()
	work := filepath.Join(p.dir, "many")
	for i := range n {
		dir := filepath.Join(work, "plugins", fmt.Sprintf("other%d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for h := range 20 {
			name := fmt.Sprintf("hook-%d", h)
			if h == 0 {
				name = "commands"
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 10\n"), 0o755); err != nil {
				b.Fatal(err)
			}
		}
	}
	path, err := p.plugins(work)
	if err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkPush times pushes of a tiny app, beside their unavoidable parts done by hand: a push to a plain repository
// over the same sshd, the engine's build or run and commit, the start of a container, the reload of nginx.
func BenchmarkPush(b *testing.B) {
	p := benchPlatform(b)
	g := benchPusher(b, p)
	n := 0
	next := func(b *testing.B) {
		b.Helper()
		n++
		g.must(b, os.WriteFile(filepath.Join(g.dir, "version"), []byte(strconv.Itoa(n)), 0o644))
		g.must(b, g.command("add", "-A").Run(), g.command("commit", "-q", "-m", "x").Run())
	}
	pushes := func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			next(b)
			b.StartTimer()
			if out, err := g.push(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
		b.ReportMetric(0, "ns/op")
		if body, err := g.get(&http.Client{}); err != nil || body != strconv.Itoa(n) {
			b.Fatalf("got %q, %v; want %d", body, err, n)
		}
	}
	next(b)
	if out, err := g.push(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	g.must(b, p.run(nil, p.bin+"/dokku", "releases:retain", g.name, "1000"))
	b.Run("dockerfile", pushes)
	b.Run("server_part", func(b *testing.B) {
		rev := strings.TrimSpace(g.output(b, "rev-parse", "HEAD"))
		times(b, func() *exec.Cmd { return p.as(b, nil, p.bin+"/dokku", "git-build", g.name, rev) })
	})
	b.Run("restart", func(b *testing.B) {
		times(b, func() *exec.Cmd { return p.as(b, nil, p.bin+"/dokku", "ps:restart", g.name) })
	})
	b.Run("rollback", func(b *testing.B) {
		times(b, func() *exec.Cmd { return p.as(b, nil, p.bin+"/dokku", "rollback", g.name, "v2") })
	})
	floors(b, p, g, next)
	g.must(b, os.Remove(filepath.Join(g.dir, "Dockerfile")),
		os.WriteFile(filepath.Join(g.dir, "Procfile"), []byte("web: exec /app/server /app/version\n"), 0o644))
	g.name = "buildpack"
	next(b)
	if out, err := g.push(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	b.Run("procfile", pushes)
}

func benchPusher(b *testing.B, p *platform) *pusher {
	b.Helper()
	g := &pusher{p: p, name: "tiny", dir: b.TempDir()}
	config := filepath.Join(p.dir, "bench_push_ssh")
	g.env = []string{"GIT_SSH_COMMAND=ssh -F " + config, "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example", "GIT_COMMITTER_NAME=t",
		"GIT_COMMITTER_EMAIL=t@example", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=" + g.dir}
	source := b.TempDir()
	text := strings.Replace(serverSource, `os.ReadFile("/version")`, `os.ReadFile(append(os.Args, "/version")[1])`, 1)
	g.must(b, p.sshConfig(config, nil), os.WriteFile(filepath.Join(source, "main.go"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(source, "go.mod"), []byte("module example.com/server\n\ngo 1.21\n"), 0o644),
		os.WriteFile(filepath.Join(g.dir, "Dockerfile"), []byte(goodDockerfile), 0o644))
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(g.dir, "server"), ".")
	build.Dir, build.Env = source, append(os.Environ(), "CGO_ENABLED=0")
	g.must(b, build.Run(), g.command("init", "-q", "-b", "master").Run())
	return g
}

func (g *pusher) must(b *testing.B, errs ...error) {
	b.Helper()
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
}

func (g *pusher) output(b *testing.B, args ...string) string {
	b.Helper()
	out, err := g.command(args...).Output()
	g.must(b, err)
	return string(out)
}

// floors times the parts of a push by themselves.
func floors(b *testing.B, p *platform, g *pusher, next func(*testing.B)) {
	plain := filepath.Join(p.root, "plain.git")
	key := filepath.Join(p.dir, "plainkey")
	g.must(b, p.run(nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key), p.run(nil, "git", "init", "-q", "--bare", plain),
		p.run(nil, "chown", "-R", p.user, plain))
	pub, err := os.ReadFile(key + ".pub")
	g.must(b, err)
	keys, err := os.OpenFile(filepath.Join(p.root, ".ssh/authorized_keys"), os.O_APPEND|os.O_WRONLY, 0)
	g.must(b, err)
	fmt.Fprintf(keys, "command=\"git-shell -c \\\"$SSH_ORIGINAL_COMMAND\\\"\",restrict %s", pub)
	g.must(b, keys.Close())
	config := filepath.Join(p.dir, "plain_ssh")
	text := fmt.Sprintf("Host plain\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  StrictHostKeyChecking no\n"+
		"  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n", p.sshPort, p.user, key)
	g.must(b, os.WriteFile(config, []byte(text), 0o600))
	b.Run("floor_push_to_a_plain_repository", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			next(b)
			b.StartTimer()
			cmd := g.command("push", "-q", "plain:plain.git", "HEAD:refs/heads/master")
			cmd.Env = append(cmd.Env, "GIT_SSH_COMMAND=ssh -F "+config)
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
		b.ReportMetric(0, "ns/op")
	})
	docker := "docker"
	if _, err := os.Stat("/usr/bin/docker"); err == nil {
		docker = "/usr/bin/docker"
	}
	b.Run("floor_build", func(b *testing.B) {
		times(b, func() *exec.Cmd {
			b.StopTimer()
			next(b)
			b.StartTimer()
			return p.command([]string{"DOCKER_BUILDKIT=0"}, docker, "build", "-q", "-t", "dokku-floor", g.dir)
		})
	})
	b.Run("floor_start_of_a_container", func(b *testing.B) {
		times(b, func() *exec.Cmd {
			return p.command(nil, docker, "run", "-d", "--rm", "--label", "com.dokku.instance="+p.root, "-e", "PORT=5000", "-p", "127.0.0.1::5000", "dokku-floor")
		})
	})
	b.Run("floor_reload_of_nginx", func(b *testing.B) {
		times(b, func() *exec.Cmd { return p.as(b, nil, "nginx", "-s", "reload", "-c", p.dir+"/nginx.conf") })
	})
	_ = p.run(nil, docker, "rmi", "-f", "dokku-floor")
}
