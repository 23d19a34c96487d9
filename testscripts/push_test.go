package testscripts

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pusher is a repository of that app, and a client of a platform.
type pusher struct {
	p    *platform
	name string
	dir  string
	env  []string
	page string // what a test expects it to answer, if it says so
}

// newPusher makes the repository; plugins is the plugin path its pushes use, "" for the platform's own.
func newPusher(t *testing.T, p *platform, name, plugins string) *pusher {
	t.Helper()
	dir := t.TempDir()
	g := &pusher{p: p, name: name, dir: dir}
	config := filepath.Join(t.TempDir(), "ssh_config")
	var setEnv []string
	if plugins != "" {
		setEnv = []string{"PLUGIN_PATH=" + plugins}
	}
	if err := p.sshConfig(config, setEnv); err != nil {
		t.Fatal(err)
	}
	g.env = []string{"GIT_SSH_COMMAND=ssh -F " + config, "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example", "GIT_COMMITTER_NAME=t",
		"GIT_COMMITTER_EMAIL=t@example", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=" + dir}
	server, err := builtServer()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "server"), server, 0o755); err != nil {
		t.Fatal(err)
	}
	g.write(t, dir, "Dockerfile", goodDockerfile)
	g.git(t, "init", "-q", "-b", "master")
	return g
}

const goodDockerfile = "FROM scratch\nCOPY server version /\nEXPOSE 5000\nCMD [\"/server\"]\n"

func (g *pusher) write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (g *pusher) command(args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = g.dir, append(os.Environ(), g.env...)
	return cmd
}

func (g *pusher) git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := g.command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit records a version of the app.
func (g *pusher) commit(t *testing.T, version string) {
	t.Helper()
	g.write(t, g.dir, "version", version)
	g.git(t, "add", "-A")
	g.git(t, "commit", "-q", "--allow-empty", "-m", version)
}

// push pushes HEAD and returns what it printed.
func (g *pusher) push() (string, error) {
	out, err := g.command("push", "--force", "dokku:"+g.name, "HEAD:refs/heads/master").CombinedOutput()
	return string(out), err
}

// get asks nginx for the app.
func (g *pusher) get(client *http.Client) (string, error) { return g.ask(client, "GET") }

// ask asks nginx for the app by a method. What is posted is sent once only: a request that was lost is not repeated
// behind our back.
func (g *pusher) ask(client *http.Client, method string) (string, error) {
	var body io.Reader
	if method == "POST" {
		body = io.NopCloser(strings.NewReader("posted"))
	}
	req, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d/", g.p.httpPort), body)
	if err != nil {
		return "", err
	}
	req.Host = g.name + ".localhost"
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != 200 {
		err = fmt.Errorf("status %s", resp.Status)
	}
	return string(text), err
}

// TestPushOutcomes pushes commits of which the build, the check or a hook of a plugin fails, between good ones: a push
// succeeds if and only if the ref has moved, and if and only if its commit is served. DOKKU_TEST_FULL makes it 100 pushes.
func TestPushOutcomes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	rounds := 10 // of four pushes
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		rounds = 25
	}
	p := newPlatform(t)
	work := filepath.Join(p.dir, "outcomes")
	hook := filepath.Join(work, "plugins/veto/post-deploy")
	if err := os.MkdirAll(filepath.Dir(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hook, []byte("#!/bin/sh\n[ ! -e \"$DOKKU_ROOT/$1/veto\" ] || exit 4\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	plugins, err := p.plugins(work)
	if err != nil {
		t.Fatal(err)
	}
	g := newPusher(t, p, "outcomes", plugins)
	g.commit(t, "start")
	if out, err := g.push(); err != nil {
		t.Fatalf("cannot push: %v\n%s", err, out)
	}
	served := "start"
	veto := filepath.Join(p.root, g.name, "veto")
	agree := 0
	for i := range rounds * 4 {
		version := fmt.Sprintf("version %d", i)
		dockerfile, good := goodDockerfile, false
		switch i % 4 {
		case 0:
			dockerfile = "FROM scratch\nCOPY missing /\n"
		case 1:
			version = "crash " + version
		case 2:
			if err := os.WriteFile(veto, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		case 3:
			good = true
		}
		g.write(t, g.dir, "Dockerfile", dockerfile)
		g.commit(t, version)
		out, pushErr := g.push()
		if err := os.Remove(veto); err != nil && i%4 == 2 {
			t.Fatal(err)
		}
		if good {
			served = version
		}
		head := g.git(t, "rev-parse", "HEAD")
		ref, err := p.command(nil, "git", "--git-dir="+filepath.Join(p.root, g.name), "-c", "safe.directory=*", "rev-parse", "refs/heads/master").Output()
		if err != nil {
			t.Fatal(err)
		}
		moved := string(bytes.TrimSpace(ref)) == head
		body, err := g.get(client(false))
		if (pushErr == nil) != good || moved != good || body != served || err != nil {
			t.Errorf("push %d (good: %v): error %v, ref moved %v, served %q (%v), want %q\n%s", i, good, pushErr, moved, body, err, served, out)
			continue
		}
		agree++
	}
	t.Logf("%d of %d pushes: status, ref and served version agree", agree, rounds*4)
}
