package testscripts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
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
	_ = exec.Command("pkill", "-KILL", "-u", r.p.user).Run() // by the user, who is the platform's own; there may be none
	for deadline := time.Now().Add(10 * time.Second); exec.Command("pgrep", "-u", r.p.user).Run() == nil && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	_ = os.Remove(r.p.dir + "/nginx/pid")
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
			if body, err := g.get(c); err == nil && body != r.want[name] && !slices.Contains(wrong, name+" answers "+body) {
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
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "cannot recover 1 of "+fmt.Sprint(apps)+" apps: app0;") {
			t.Errorf("recover: %v, want status 1 and app0 named\n%s", err, out)
		}
		wrong += len(bad)
		if len(bad) > 0 {
			t.Errorf("pages of others: %q", bad)
		}
		for name, g := range r.apps {
			body, err := g.get(client(false))
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
