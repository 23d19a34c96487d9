package testscripts

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lockedBuffer collects the output of a program that runs.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// running is a program in a process group of its own.
type running struct {
	cmd  *exec.Cmd
	out  lockedBuffer
	done chan error
}

func begin(t *testing.T, cmd *exec.Cmd) *running {
	t.Helper()
	r := &running{cmd: cmd, done: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = &r.out, &r.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	go func() { r.done <- cmd.Wait() }()
	return r
}

func (r *running) kill() { _ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) }

// says waits until the program has printed text.
func (r *running) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, func() error {
		if out := r.out.String(); !strings.Contains(out, text) {
			return fmt.Errorf("does not say %q:\n%s", text, out)
		}
		return nil
	})
}

// eventually polls until f has no error.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// clone is another repository of the same app.
func (g *pusher) clone(t *testing.T) *pusher {
	t.Helper()
	other := *g
	other.dir = filepath.Join(t.TempDir(), "clone")
	g.git(t, "clone", "-q", g.dir, other.dir)
	return &other
}

func (g *pusher) start(t *testing.T) *running {
	t.Helper()
	return begin(t, g.command("push", "dokku:"+g.name, "HEAD:refs/heads/master"))
}

func (g *pusher) releases(t *testing.T) []releaseLine {
	t.Helper()
	list, _, err := g.p.releases(g.name)
	if err != nil {
		t.Fatalf("cannot read the releases: %v", err)
	}
	return list
}

func (g *pusher) ref(t *testing.T) string {
	t.Helper()
	out, err := g.p.command(nil, "git", "--git-dir="+filepath.Join(g.p.root, g.name), "-c", "safe.directory=*", "rev-parse", "refs/heads/master").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestPushesAtOnce pushes different commits to one app at the same moment, two by two and then ten: each push ends with 0
// or 1, with 0 exactly when its commit was deployed, and branch, release and what is served are those of the last one
// that was told so. DOKKU_TEST_FULL makes it 400 pushes.
func TestPushesAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	g := newPusher(t, newPlatform(t), "race", "")
	g.commit(t, "start")
	if out, err := g.push(); err != nil {
		t.Fatalf("cannot push: %v\n%s", err, out)
	}
	clones := make([]*pusher, 10)
	for i := range clones {
		clones[i] = g.clone(t)
	}
	pairs, crowds := 20, 1
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		pairs, crowds = 100, 20
	}
	last := g // who has pushed what serves
	began, pushes, acknowledged := time.Now(), 0, 0
	for round := range pairs + crowds {
		n := 2
		if round >= pairs {
			n = len(clones)
		}
		known := g.releases(t)[0].Number // the list begins with the newest, and old ones leave it
		for i, c := range clones[:n] {
			c.git(t, "fetch", "-q", last.dir, "HEAD")
			c.git(t, "reset", "-q", "--hard", "FETCH_HEAD")
			c.commit(t, fmt.Sprintf("round %d, push %d", round, i))
		}
		var runs []*running
		for _, c := range clones[:n] {
			runs = append(runs, c.start(t))
		}
		var good []*pusher
		for i, r := range runs {
			err := <-r.done
			var exit *exec.ExitError
			if err == nil {
				good = append(good, clones[i])
			} else if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("round %d: got %v, want status 0 or 1\n%s", round, err, r.out.String())
			}
		}
		pushes, acknowledged = pushes+n, acknowledged+len(good)
		if len(good) != 1 { // they all build upon the same commit
			t.Fatalf("round %d: %d of %d pushes were taken, want one", round, len(good), n)
		}
		last = good[0]
		head := last.git(t, "rev-parse", "HEAD")
		want := fmt.Sprint([]releaseLine{{Number: known + 1, Current: true, Outcome: "deployed", Revision: head}})
		var fresh []releaseLine
		list := g.releases(t)
		for _, r := range list {
			if r.Current || r.Revision == head {
				fresh = append(fresh, r)
			}
		}
		body, err := g.get(client(false))
		version, readErr := os.ReadFile(filepath.Join(last.dir, "version"))
		if g.ref(t) != head || fmt.Sprint(fresh) != want || list[0].Number != known+1 || body != string(version) || err != nil || readErr != nil {
			t.Fatalf("round %d: %s was taken; branch %s, %d new releases, of them %v, served %q (%v)", round, head, g.ref(t), list[0].Number-known, fresh, body, err)
		}
	}
	t.Logf("%d pushes, %d taken, in %s", pushes, acknowledged, time.Since(began).Round(time.Millisecond))
}

// gate is a plugin path with a plugin that waits in its hook of that name for as long as the gate is closed.
type gate struct{ dir, plugins string }

func newGate(t *testing.T, p *platform, name string, hooks ...string) *gate {
	t.Helper()
	work := filepath.Join(p.dir, name)
	g := &gate{dir: filepath.Join(work, "gate")}
	text := "#!/bin/sh\ngate=" + g.dir + "/${0##*/}\n[ -d \"$gate\" ] || exit 0\ntouch \"$gate/reached\"\n" +
		"n=0\nwhile [ -d \"$gate\" ] && [ $n -lt 600 ]; do n=$((n + 1)); sleep 0.05; done\n"
	err := errors.Join(os.MkdirAll(filepath.Join(work, "plugins/gate"), 0o755), os.Mkdir(g.dir, 0o755))
	for _, hook := range hooks {
		err = errors.Join(err, os.WriteFile(filepath.Join(work, "plugins/gate", hook), []byte(text), 0o755))
	}
	if err == nil {
		g.plugins, err = p.plugins(work)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *gate) close(t *testing.T, hook string) {
	t.Helper()
	path := filepath.Join(g.dir, hook)
	if err := errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, 0o777)); err != nil {
		t.Fatal(err)
	}
}

func (g *gate) reached(t *testing.T, hook string) {
	t.Helper()
	eventually(t, func() error { _, err := os.Stat(filepath.Join(g.dir, hook, "reached")); return err })
}

func (g *gate) open(t *testing.T, hook string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(g.dir, hook)); err != nil {
		t.Fatal(err)
	}
}

// TestDestroyDuringDeploy destroys an app while it is built, checked and switched, with a push behind: the destruction
// waits for its turn, the push ends with an error, and no container is left of an app that is not there.
// DOKKU_TEST_FULL does it twenty times at each point.
func TestDestroyDuringDeploy(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	rounds := 2
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		rounds = 20
	}
	p := newPlatform(t)
	hooks := []string{"pre-build", "check-deploy", "post-deploy"}
	at := newGate(t, p, "destroy", hooks...)
	g := newPusher(t, p, "vanishing", at.plugins)
	g.commit(t, "start")
	for round := range rounds {
		for _, hook := range hooks {
			at.close(t, hook)
			first := g.start(t)
			at.reached(t, hook)
			destroy := begin(t, p.command([]string{"PLUGIN_PATH=" + at.plugins}, p.bin+"/dokku", "--force", "apps:destroy", g.name))
			destroy.says(t, "in line; push by tester holds it since")
			behind := g.start(t)
			behind.says(t, "in line; push by tester holds it since")
			at.open(t, hook)
			if err := <-first.done; err != nil {
				t.Errorf("%s, round %d: the push: %v\n%s", hook, round, err, first.out.String())
			}
			if err := <-destroy.done; err != nil {
				t.Errorf("%s, round %d: the destruction: %v\n%s", hook, round, err, destroy.out.String())
			}
			if err := <-behind.done; err == nil || !strings.Contains(behind.out.String(), "cannot deploy "+g.name+": it was destroyed meanwhile; push again") {
				t.Errorf("%s, round %d: the push behind: got %v\n%s", hook, round, err, behind.out.String())
			}
			left, err := filepath.Glob(filepath.Join(p.root, "*"+g.name+"*"))
			ids, psErr := p.command(nil, "docker", "ps", "-aq", "--filter", "label=com.dokku.instance="+p.root, "--filter", "label=com.dokku.app-name="+g.name).Output()
			if err := errors.Join(err, psErr); err != nil || len(left) > 0 || len(ids) > 0 {
				t.Fatalf("%s, round %d: left are %v and containers %s (%v)", hook, round, left, ids, err)
			}
		}
	}
	t.Logf("%d of %d destructions left nothing", rounds*len(hooks), rounds*len(hooks))
}

// TestBuildSlots builds on a host that allows one build at a time: the others stand in line, and who goes away leaves it.
func TestBuildSlots(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	p := newPlatform(t)
	rc := filepath.Join(p.root, "dokkurc")
	text, err := os.ReadFile(rc)
	if err == nil {
		err = os.WriteFile(rc, append(text, "export DOKKU_BUILD_SLOTS=1\n"...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	at := newGate(t, p, "slots", "pre-build")
	one := newPusher(t, p, "one", at.plugins)
	one.commit(t, "start")
	two, three := one.clone(t), one.clone(t)
	two.name, three.name = "two", "three"
	at.close(t, "pre-build")
	first := one.start(t)
	at.reached(t, "pre-build")
	second := two.start(t)
	second.says(t, "You are number 1 in line; being built: one since ")
	noWait := begin(t, three.command("push", "-o", "no-wait", "dokku:three", "HEAD:refs/heads/master"))
	if err := <-noWait.done; err == nil || !strings.Contains(noWait.out.String(), "cannot build three: it is busy: being built: one since ") {
		t.Errorf("no-wait: got %v\n%s", err, noWait.out.String())
	}
	third := three.start(t)
	third.says(t, "You are number 2 in line; being built: one since ")
	third.kill()
	<-third.done
	eventually(t, func() error {
		left, err := filepath.Glob(filepath.Join(p.lib, "data/build-slots/queue/[0-9]*"))
		if err == nil && len(left) != 1 {
			err = fmt.Errorf("got tickets %v, want that of the second push", left)
		}
		return err
	})
	at.open(t, "pre-build")
	for _, r := range []*running{first, second} {
		if err := <-r.done; err != nil {
			t.Errorf("%v\n%s", err, r.out.String())
		}
	}
}
