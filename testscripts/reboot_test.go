package testscripts

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// reboot is a platform whose host loses power and comes back.
type reboot struct {
	t    *testing.T
	p    *platform
	apps map[string]*pusher
	want map[string]string // what an app answers with after a boot; "": it does not
}

// host kills the engine with all containers, nginx and all processes of the platform's user, and starts engine and
// nginx again, in any order.
func (r *reboot) host() {
	r.t.Helper()
	if err := r.p.engine.kill(); err != nil {
		r.t.Fatal(err)
	}
	r.p.killAll()
	for deadline := time.Now().Add(10 * time.Second); r.p.alive() && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	_ = os.Remove(r.p.dir + "/nginx/pid")
	ready, err := filepath.Glob(r.p.lib + "/data/.run/ready/*") // of a real host they are in /run
	if err != nil || len(ready) == 0 {
		r.t.Fatalf("no app is marked as ready: %v", err)
	}
	for _, file := range ready {
		if err := os.Remove(file); err != nil {
			r.t.Fatal(err)
		}
	}
	steps := []func() error{r.p.engine.start, r.p.runNginx}
	if rand.IntN(2) == 0 {
		steps[0], steps[1] = steps[1], steps[0]
	}
	for _, step := range steps {
		if err := step(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// watchAnswers asks every app again and again until stop is closed, and returns the answers that were another app's.
func (r *reboot) watchAnswers(stop <-chan struct{}) (wrong []string) {
	c := client(false)
	for {
		for name, g := range r.apps {
			select {
			case <-stop:
				return wrong
			default:
			}
			if body, err := g.get(c); err == nil && body != g.page {
				wrong = append(wrong, name+" answers "+body)
			}
		}
	}
}

// TestReboot has the host of many apps lose power again and again. Each app that ran serves its own page afterwards,
// those that were stopped stay so, one that crashes is named, and nobody ever gets another app's page. DOKKU_TEST_FULL
// makes it 20 apps and 20 reboots.
func TestReboot(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	apps, stopped, reboots := 5, 1, 2
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		apps, stopped, reboots = 20, 2, 20
	}
	e := newEngine(t)
	r := &reboot{t: t, p: newPlatformOn(t, e), apps: map[string]*pusher{}, want: map[string]string{}}
	for i := range apps {
		name := fmt.Sprintf("app%d", i)
		version := "page of " + name
		if i == 0 {
			version = "once, then never again"
		}
		g := newPusher(t, r.p, name, "")
		g.commit(t, version)
		if out, err := g.push(); err != nil {
			t.Fatalf("cannot push: %v\n%s", err, out)
		}
		g.page = version
		r.apps[name], r.want[name] = g, version
		switch {
		case i == 0:
			r.want[name] = ""
		case i <= stopped:
			r.want[name] = ""
			if err := r.p.run(nil, r.p.bin+"/dokku", "ps:stop", name); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.engineDown()
	good, wrong := 0, 0
	for range reboots {
		r.host()
		var bad []string
		var wg sync.WaitGroup
		stop := make(chan struct{})
		wg.Go(func() { bad = r.watchAnswers(stop) })
		began := time.Now()
		out, err := r.p.command(nil, r.p.bin+"/dokku", "recover").CombinedOutput()
		took := time.Since(began)
		close(stop)
		wg.Wait()
		// The one that crashes is named, unless it had to be deployed again and then has a container that starts.
		_, crashed := r.apps["app0"].get(client(false))
		if named := strings.Contains(string(out), "cannot recover 1 of "+fmt.Sprint(apps)+" apps: app0;"); named != (crashed != nil) || named != (err != nil) {
			t.Errorf("recover: %v, and app0 answers with %v\n%s", err, crashed, out)
		}
		wrong += len(bad)
		if len(bad) > 0 {
			t.Errorf("pages of others: %q", bad)
		}
		for name, g := range r.apps {
			body, err := g.get(client(false))
			if name == "app0" {
				good++
				continue
			}
			if (r.want[name] == "") != (err != nil) || err == nil && body != r.want[name] {
				t.Errorf("%s answers %q, %v, want %q\n%s", name, body, err, r.want[name], out)
				continue
			}
			good++
		}
		t.Logf("recover took %s", took.Round(time.Millisecond))
	}
	t.Logf("%d reboots of %d apps: %d of %d answers as they should be, %d pages of others", reboots, apps, good, apps*reboots, wrong)
}

// engineDown runs commands while there is no engine: what takes one says so at once, all else works, and nothing is
// changed.
func (r *reboot) engineDown() {
	r.t.Helper()
	if err := r.p.engine.kill(); err != nil {
		r.t.Fatal(err)
	}
	const app = "app2"
	g := r.apps[app]
	commands := map[bool][]string{
		true: {"apps:list", "apps:exists app2", "apps:create made", "config:set made A=1", "config:get made A", "config:keys app2", "config:export app2",
			"config:set --no-restart app2 A=1", "config:unset --no-restart app2 A", "url app2", "urls app2", "releases app2", "releases:info app2 v1",
			"releases:diff app2 v1", "releases:retain app2", "events", "git:set made deploy-branch main", "ps:scale app2",
			"apps:lock made", "apps:unlock made", "version", "help", "plugins"},
		false: {"ps app2", "ps:restart app2", "ps:start app2", "ps:stop app2", "ps:rebuild app2", "ps:scale app2 web=2", "rollback app2 v1", "run app2 true",
			"logs app2", "recover", "cleanup", "apps:destroy --force app2", "doctor", "checks:run app2", "checks:report app2"},
	}
	tried, hung := 0, 0
	for good, lines := range commands {
		for _, line := range lines {
			tried++
			ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
			cmd := r.p.command(nil, append([]string{r.p.bin + "/dokku"}, strings.Fields(line)...)...)
			run := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
			run.Env, run.Dir = cmd.Env, cmd.Dir
			out, err := run.CombinedOutput()
			if ctx.Err() != nil {
				hung++
				r.t.Errorf("no engine: %s does not end\n%s", line, out)
			} else if (err == nil) != good {
				r.t.Errorf("no engine: %s: %v\n%s", line, err, out)
			} else if !good && !strings.Contains(string(out), "engine") {
				r.t.Errorf("no engine: %s does not say so:\n%s", line, out)
			}
			cancel()
		}
	}
	g.commit(r.t, "not to be seen")
	if out, err := g.push(); err == nil || !strings.Contains(out, "engine does not answer") {
		r.t.Errorf("no engine: a push ends with %v\n%s", err, out)
	}
	if err := r.p.run(nil, r.p.bin+"/dokku", "config:get", app, "A"); err == nil {
		r.t.Error("no engine: a variable is left")
	}
	if err := r.p.engine.start(); err != nil {
		r.t.Fatal(err)
	}
	if err := os.RemoveAll(r.p.root + "/made"); err != nil {
		r.t.Fatal(err)
	}
	r.t.Logf("no engine: %d commands, %d hung", tried, hung)
}
