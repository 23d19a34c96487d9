package testscripts

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// releaseLine is what is looked at of `dokku releases --format json`.
type releaseLine struct {
	Number   int
	Current  bool
	Outcome  string
	Revision string
}

func (p *platform) releases(name string) (all []releaseLine, current *releaseLine, err error) {
	out, err := p.command(nil, p.bin+"/dokku", "releases", name, "--format", "json").Output()
	if err == nil {
		err = json.Unmarshal(out, &all)
	}
	for i := range all {
		if all[i].Current {
			current = &all[i]
		}
	}
	return all, current, err
}

// agree tells in what containers, proxy, files, git and records of a pusher's app do not agree: nil when they do.
// versions are the texts that each revision is served with. What a process of its own does after a deploy is waited
// for.
func (g *pusher) agree(versions map[string]string) error {
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = g.disagreement(versions); err == nil {
			return nil
		}
	}
	return err
}

func (g *pusher) disagreement(versions map[string]string) error {
	all, current, err := g.p.releases(g.name)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Outcome == "deploying" || r.Outcome == "reverting" {
			return fmt.Errorf("release %d is still %s", r.Number, r.Outcome)
		}
	}
	ids, err := g.p.command(nil, "docker", "ps", "-aq", "--no-trunc", "--filter", "label=com.dokku.app-name="+g.name, "--filter", "label=com.dokku.instance="+g.p.root).Output()
	if err != nil {
		return err
	}
	containers := strings.Fields(string(ids))
	recorded, _ := os.ReadFile(filepath.Join(g.p.root, g.name, "CONTAINER.web.1"))
	body, getErr := g.get(client(false))
	ref, _ := g.p.command(nil, "git", "--git-dir="+filepath.Join(g.p.root, g.name), "-c", "safe.directory=*", "rev-parse", "--verify", "-q", "refs/heads/master").Output()
	tags, err := g.p.command(nil, "docker", "images", "--format", "{{.Tag}} {{.ID}}", "dokku/"+g.name).Output()
	if err != nil {
		return err
	}
	if strings.Contains(string(tags), "build ") {
		// The engine may have finished it after who asked for it was killed; then cleanup removes it.
		if err := g.p.run(nil, g.p.bin+"/dokku", "cleanup", g.name); err != nil {
			return err
		}
		return fmt.Errorf("there is an image of a build: %q", tags)
	}
	if current == nil {
		if len(containers) > 0 || len(recorded) > 0 || getErr == nil || len(tags) > 0 {
			return fmt.Errorf("nothing is in service, and there are containers %q, a record %q, an answer %q (%v), images %q", containers, recorded, body, getErr, tags)
		}
		return nil
	}
	switch {
	case getErr != nil || body != versions[current.Revision]:
		return fmt.Errorf("release %d is current and %q is served, %v, want %q", current.Number, body, getErr, versions[current.Revision])
	case len(containers) != 1 || containers[0] != strings.TrimSpace(string(recorded)):
		return fmt.Errorf("there are containers %q, and the record names %q", containers, recorded)
	case strings.TrimSpace(string(ref)) != current.Revision:
		return fmt.Errorf("git is at %q, release %d at %q", ref, current.Number, current.Revision)
	case !strings.Contains(string(tags), fmt.Sprintf("v%d ", current.Number)):
		return fmt.Errorf("release %d has no image: %q", current.Number, tags)
	}
	return nil
}

// pushWith is push with variables in dokku's environment.
func (g *pusher) pushWith(vars ...string) (string, error) {
	cmd := g.command("push", "--force", "dokku:"+g.name, "HEAD:refs/heads/master")
	for i, kv := range cmd.Env {
		if strings.HasPrefix(kv, "GIT_SSH_COMMAND=") && len(vars) > 0 {
			cmd.Env[i] = kv + " -o SetEnv=\"" + strings.Join(vars, " ") + "\""
		}
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// failpoints lists the points at which dokku can be killed whose names begin with prefix, in their order.
func failpoints(t *testing.T, prefix string) []string {
	t.Helper()
	text, err := os.ReadFile("../plugins-core/internal/failpoint/failpoint.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`Point = "(`+prefix+`[a-z-]+)"`).FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	if len(names) < 2 {
		t.Fatalf("got %q for %s", names, prefix)
	}
	return names
}

// crashes is a platform and an app of it on which things are killed.
type crashes struct {
	t               *testing.T
	p               *platform
	g               *pusher
	versions        map[string]string // by revision
	tried, survived int
}

// newCrashes makes a platform on which the old containers end at once, and an app called like the test: the engine has one
// set of names for all tests that run at the same time.
func newCrashes(t *testing.T) *crashes {
	t.Helper()
	p := newPlatform(t)
	if err := appendFile(p.root+"/dokkurc", "export DOKKU_WAIT_TO_RETIRE=0 DOKKU_WATCH=0\n"); err != nil {
		t.Fatal(err)
	}
	c := &crashes{t: t, p: p}
	c.app(strings.ToLower(strings.TrimPrefix(t.Name(), "Test")))
	return c
}

func (c *crashes) app(name string) {
	c.t.Helper()
	c.g, c.versions = newPusher(c.t, c.p, name, ""), map[string]string{}
}

func (c *crashes) commit(version string) {
	c.t.Helper()
	c.g.commit(c.t, version)
	c.versions[c.g.git(c.t, "rev-parse", "HEAD")] = version
}

// push is one that has to succeed.
func (c *crashes) push(version string) {
	c.t.Helper()
	c.commit(version)
	if out, err := c.g.push(); err != nil {
		c.t.Errorf("cannot push %s: %v\n%s", version, err, out)
	}
}

// killedPush is one that dies at the point.
func (c *crashes) killedPush(version, point string) {
	c.t.Helper()
	c.commit(version)
	if out, err := c.g.pushWith("DOKKU_FAILPOINT=" + point); err == nil {
		c.t.Errorf("%s: the push was not killed\n%s", point, out)
	}
}

// killed is a command that dies at the point.
func (c *crashes) killed(point string, args ...string) {
	c.t.Helper()
	args = append([]string{"setsid", "-w", c.p.bin + "/dokku"}, args...)
	if err := c.p.command([]string{"DOKKU_FAILPOINT=" + point}, args...).Run(); err == nil {
		c.t.Errorf("%v was not killed at %s", args[3:], point)
	}
}

// next is what comes after a crash: a recovery, or any command about the app. Then all has to agree.
func (c *crashes) next(i int, what, point string) {
	c.t.Helper()
	args := [][]string{{"recover"}, {"ps", c.g.name}, {"config:keys", c.g.name}}[i%3]
	if out, err := c.p.command(nil, append([]string{c.p.bin + "/dokku"}, args...)...).CombinedOutput(); err != nil {
		c.t.Errorf("%s killed at %s: %v: %v\n%s", what, point, args, err, out)
	}
	c.tried++
	if err := c.g.agree(c.versions); err != nil {
		c.t.Errorf("%s killed at %s, then %v: %v", what, point, args, err)
		return
	}
	if found := c.p.world(c.t); len(found) > 0 {
		c.t.Errorf("%s killed at %s, then %v: %q", what, point, args, found)
		return
	}
	c.survived++
}

// TestCrashes kills pushes, of an app's first version and of a later one, at each point of a deploy; a rollback at each
// of its own; and recoveries. What comes next, a command or a recovery, finds the old or the new release in service and
// all that belongs to it in agreement, and the next push succeeds. Unless DOKKU_TEST_FULL is set, not all points are
// tried with the first version and with rollbacks.
func TestCrashes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	full := os.Getenv("DOKKU_TEST_FULL") != ""
	c := newCrashes(t)
	points := failpoints(t, "deploy-")
	c.push("one")
	for i, point := range points {
		if point == "deploy-files" { // which only a rollback passes
			continue
		}
		c.killedPush("after "+point, point)
		c.next(i, "a push", point)
		if full || i%4 == 0 {
			c.push("once more after " + point)
			c.next(i+1, "a push after one", point)
		}
	}
	c.push("last")
	for i, point := range points {
		if full || i%4 == 0 {
			c.killed(point, "rollback", c.g.name)
			c.next(i, "a rollback", point)
		}
	}
	for i, point := range failpoints(t, "recover-") {
		c.killedPush("recovered after "+point, "deploy-switched")
		c.killed(point, "recover")
		c.next(i, "a recovery", point)
	}
	for i, point := range points {
		if point == "deploy-files" || !full && i%5 != 0 {
			continue
		}
		c.app(fmt.Sprintf("first%d", i))
		c.killedPush("one", point)
		c.next(i, "a first push", point)
		c.push("two")
		c.next(i+1, "a push after a first one", point)
	}
	for _, dir := range c.workDirs() {
		t.Errorf("the work directory %s of a killed push is left", dir)
	}
	t.Logf("%d crashes and pushes after them, %d survived", c.tried, c.survived)
}

// TestCrashedDestroy kills the destruction of an app at each of its points: another one, or a recovery, carries it
// through, and the name can be used again.
func TestCrashedDestroy(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	p := newPlatform(t)
	// Who watches over a release would be the next command now and then, and end what the killed one began.
	if err := appendFile(p.root+"/dokkurc", "export DOKKU_WAIT_TO_RETIRE=0 DOKKU_WATCH=0\n"); err != nil {
		t.Fatal(err)
	}
	g := newPusher(t, p, "gone", "")
	tried := 0
	for i, point := range failpoints(t, "destroy-") {
		g.commit(t, point)
		if out, err := g.push(); err != nil {
			t.Fatalf("%s: cannot push: %v\n%s", point, err, out)
		}
		if err := p.command([]string{"DOKKU_FAILPOINT=" + point}, "setsid", "-w", p.bin+"/dokku", "apps:destroy", "--force", g.name).Run(); err == nil {
			t.Errorf("%s: not killed", point)
		}
		again := []string{"apps:destroy", "--force", g.name}
		if i%2 == 0 && point != "destroy-renamed" {
			again = []string{"recover"}
		}
		if out, err := p.command(nil, append([]string{p.bin + "/dokku"}, again...)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %v\n%s", point, again, err, out)
		}
		tried++
		left, err := p.command(nil, "docker", "ps", "-aq", "--filter", "label=com.dokku.app-name="+g.name, "--filter", "label=com.dokku.instance="+p.root).Output()
		images, err2 := p.command(nil, "docker", "images", "-q", "dokku/"+g.name).Output()
		if err := errors.Join(err, err2); err != nil || len(left)+len(images) > 0 {
			t.Errorf("%s: containers %q and images %q are left, %v", point, left, images, err)
		}
		for _, dir := range []string{g.name, ".destroyed-" + g.name} {
			if _, err := os.Lstat(filepath.Join(p.root, dir)); err == nil {
				t.Errorf("%s: %s is left", point, dir)
			}
		}
		if body, err := g.get(client(false)); err == nil {
			t.Errorf("%s: %q is served", point, body)
		}
		if found := p.world(t); len(found) > 0 {
			t.Errorf("%s: %q", point, found)
		}
	}
	t.Logf("%d destructions killed", tried)
}

// TestRandomKills kills the process group of pushes after a random time, again and again; DOKKU_TEST_KILLS says how
// often, 12 times unless it is set.
func TestRandomKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	kills := 12
	if n := os.Getenv("DOKKU_TEST_KILLS"); n != "" {
		if _, err := fmt.Sscan(n, &kills); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	p := newPlatform(t)
	if err := appendFile(p.root+"/dokkurc", "export DOKKU_WAIT_TO_RETIRE=0 DOKKU_WATCH=0\n"); err != nil {
		t.Fatal(err)
	}
	g := newPusher(t, p, "random", "")
	versions := map[string]string{}
	violations, killed := 0, 0
	for i := range kills {
		version := fmt.Sprint("version ", i)
		g.commit(t, version)
		versions[g.git(t, "rev-parse", "HEAD")] = version
		if i == 0 {
			if out, err := g.push(); err != nil {
				t.Fatalf("cannot push: %v\n%s", err, out)
			}
			continue
		}
		done := make(chan error, 1)
		go func() {
			_, err := g.push()
			done <- err
		}()
		time.Sleep(300*time.Millisecond + time.Duration(random.Int64N(int64(900*time.Millisecond))))
		p.killDeploys(t)
		if <-done != nil {
			killed++
		}
		if i%2 == 0 {
			if out, err := p.command(nil, p.bin+"/dokku", "recover").CombinedOutput(); err != nil {
				t.Errorf("kill %d: cannot recover: %v\n%s", i, err, out)
			}
		} else if out, err := p.command(nil, p.bin+"/dokku", "ps", g.name).CombinedOutput(); err != nil {
			t.Errorf("kill %d: %v\n%s", i, err, out)
		}
		if err := g.agree(versions); err != nil {
			violations++
			t.Errorf("kill %d: %v", i, err)
		} else if found := p.world(t); len(found) > 0 {
			violations++
			t.Errorf("kill %d: %q", i, found)
		}
	}
	t.Logf("%d pushes, %d of them killed, %d violations", kills, killed, violations)
}

// killDeploys sends SIGKILL to every dokku and git of the platform's user but the processes that wait for old
// containers.
func (p *platform) killDeploys(t *testing.T) {
	t.Helper()
	out, err := exec.Command("pgrep", "-u", p.user, "-f", "git-hook|receive-pack").Output()
	if err != nil {
		return // none runs now
	}
	for field := range strings.FieldsSeq(string(out)) {
		var pid int
		if _, err := fmt.Sscan(field, &pid); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
