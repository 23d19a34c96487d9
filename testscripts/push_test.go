package testscripts

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// serverSource is an app from scratch that answers with the content of its file version, and crashes when that says so,
// at once or when it is started a second time.
const serverSource = `package main

import (
	"net/http"
	"os"
	"strings"
)

func main() {
	version, _ := os.ReadFile("/version")
	if strings.HasPrefix(string(version), "crash") {
		os.Exit(3)
	}
	if strings.HasPrefix(string(version), "once") {
		if _, err := os.Stat("/started"); err == nil {
			os.Exit(4)
		}
		os.WriteFile("/started", nil, 0o644)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.Write(version) })
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`

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

// builtServer is the app's program, built once.
var builtServer = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "dokku-server-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{"main.go": serverSource, "go.mod": "module example.com/server\n\ngo 1.21\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", "server", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build the app: %v\n%s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "server"))
})

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

// client returns an HTTP client with or without kept-alive connections.
func client(keepAlive bool) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: !keepAlive, Proxy: nil,
		DialContext: (&net.Dialer{}).DialContext}}
}

// asker asks for an app at a steady rate and notes every answer.
type asker struct {
	method    string
	keepAlive bool
	answers   []string // a change of version each
	total     atomic.Int64
	errors    []error
}

func (a *asker) run(g *pusher, every time.Duration, stop <-chan struct{}) {
	c := client(a.keepAlive)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		body, err := g.ask(c, a.method)
		a.total.Add(1)
		if err != nil {
			a.errors = append(a.errors, err)
			continue
		}
		if n := len(a.answers); n == 0 || a.answers[n-1] != body {
			a.answers = append(a.answers, body)
		}
	}
}

// startAskers starts clients of all four kinds, each asking so often; the function that is returned ends them and
// waits.
func (g *pusher) startAskers(each int, every time.Duration) (askers []*asker, end func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, method := range []string{"GET", "POST"} {
		for _, keepAlive := range []bool{true, false} {
			for range each {
				a := &asker{method: method, keepAlive: keepAlive}
				askers = append(askers, a)
				wg.Go(func() { a.run(g, every, stop) })
			}
		}
	}
	return askers, sync.OnceFunc(func() {
		close(stop)
		wg.Wait()
	})
}

// TestPushesUnderLoad pushes version after version while clients get and post, with kept-alive connections and without:
// no request fails, each client sees the old version, then the new one, once per push, and nginx is not reloaded after
// the first. DOKKU_TEST_FULL makes it 50 pushes and 100,000 requests.
func TestPushesUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	pushes, each, requests := 10, 1, 0
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		pushes, each, requests = 50, 4, 100_000
	}
	p := newPlatform(t)
	// While a release is watched the one before it keeps its ports.
	if err := appendFile(p.root+"/dokkurc", "export DOKKU_WATCH=0\n"); err != nil {
		t.Fatal(err)
	}
	g := newPusher(t, p, "load", "")
	want := []string{"version 0"}
	g.commit(t, want[0])
	if out, err := g.push(); err != nil {
		t.Fatalf("cannot push: %v\n%s", err, out)
	}
	begin := time.Now()
	askers, end := g.startAskers(each, 20*time.Millisecond)
	defer end()
	total := func() (n int) {
		for _, a := range askers {
			n += int(a.total.Load())
		}
		return n
	}
	var slowest time.Duration
	reloads := 0
	for i := range pushes {
		version := fmt.Sprint("version ", i+1)
		want = append(want, version)
		g.commit(t, version)
		start := time.Now()
		out, err := g.push()
		if err != nil {
			t.Errorf("cannot push %s: %v\n%s", version, err, out)
			break
		}
		slowest = max(slowest, time.Since(start))
		reloads += strings.Count(out, "Reloading nginx")
		if body, err := g.get(client(false)); err != nil || body != version {
			t.Errorf("after the push of %q: got %q, %v", version, body, err)
		}
		// The rest of the requests is spread over the deploys.
		for share := requests * (i + 1) / pushes; requests > 0 && total() < share; {
			time.Sleep(10 * time.Millisecond)
		}
	}
	took := time.Since(begin)
	end()
	failed := 0
	for i, a := range askers {
		failed += len(a.errors)
		if len(a.errors) > 0 {
			t.Errorf("client %d (%s, kept alive: %v): %d of %d requests failed, first: %v", i, a.method, a.keepAlive, len(a.errors), a.total.Load(), a.errors[0])
		}
		if fmt.Sprint(a.answers) != fmt.Sprint(want) {
			t.Errorf("client %d saw %q, want each version once, in order", i, a.answers)
		}
	}
	if n := total(); n < requests {
		t.Errorf("%d requests, want %d", n, requests)
	}
	if reloads > 0 {
		t.Errorf("nginx was reloaded %d times after the first push", reloads)
	}
	t.Logf("%d requests in %s, %.0f in a second: %d failed", total(), took.Round(time.Millisecond), float64(total())/took.Seconds(), failed)
	t.Logf("%d pushes, slowest %s, %d reloads of nginx", pushes, slowest.Round(time.Millisecond), reloads)
}

// TestPushOutcomes pushes commits of which the build, the check or a hook of a plugin fails, between good ones: a push
// succeeds if and only if the ref has moved, and if and only if its commit is served.
func TestPushOutcomes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	const rounds = 25 // of four pushes
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
