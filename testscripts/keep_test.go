package testscripts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKept deploys again and again, with builds that fail and commands that run in between: as many images are kept as
// a rollback may need, and no container but the one that serves. DOKKU_TEST_FULL makes it 50 deploys, 10 failed builds
// and 10 runs.
func TestKept(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	deploys, every := 10, 4
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		deploys, every = 50, 5
	}
	c := newCrashes(t)
	const retain = 3
	dokku := func(args ...string) {
		t.Helper()
		if out, err := c.p.command(nil, append([]string{c.p.bin + "/dokku"}, args...)...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	failed, runs := 0, 0
	before := 0
	for i := range deploys {
		c.push(fmt.Sprint("version ", i))
		if i == 0 {
			dokku("releases:retain", c.g.name, fmt.Sprint(retain))
		}
		if i%every == 0 {
			c.g.write(t, c.g.dir, "Dockerfile", "FROM scratch\nCOPY version /\nCOPY missing /\n")
			c.g.commit(t, fmt.Sprint("broken ", i))
			if out, err := c.g.push(); err == nil {
				t.Errorf("a build without a file succeeded\n%s", out)
			}
			failed++
			c.g.write(t, c.g.dir, "Dockerfile", goodDockerfile)
			_ = c.p.command(nil, c.p.bin+"/dokku", "run", c.g.name, "/nosuch").Run()
			runs++
		}
		if i == deploys/2 {
			dokku("cleanup")
			before = c.layers()
		}
	}
	if err := c.g.agree(c.versions); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(10 * time.Second); len(c.images()) > retain+1 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	if got := c.images(); len(got) != retain+1 {
		t.Errorf("%d images are kept, want %d", len(got), retain+1)
	}
	dokku("cleanup")
	after := c.layers()
	// Other tests use the engine at the same time, so only a growth with the number of deploys is looked for.
	if after > before+deploys/2 {
		t.Errorf("the engine had %d images and layers half-way, and %d at the end", before, after)
	}
	dokku("rollback", c.g.name)
	if err := c.g.agree(c.versions); err != nil {
		t.Errorf("after a rollback: %v", err)
	}
	kept := len(c.images())
	c.budget()
	t.Logf("%d deploys, %d failed builds, %d runs: %d images kept (%d within a budget); images and layers half-way %d, at the end %d", deploys, failed, runs, kept, len(c.images()), before, after)
}

// images are the ids of the app's images.
func (c *crashes) images() []string {
	c.t.Helper()
	out, err := c.p.command(nil, "docker", "images", "--format", "{{.ID}}", "dokku/"+c.g.name).Output()
	if err != nil {
		c.t.Fatal(err)
	}
	ids := strings.Fields(string(out))
	slices.Sort(ids)
	return slices.Compact(ids)
}

// layers counts all images of the engine, with those that are only steps of others.
func (c *crashes) layers() int {
	c.t.Helper()
	out, err := c.p.command(nil, "docker", "images", "-aq", "--no-trunc").Output()
	if err != nil {
		c.t.Fatal(err)
	}
	return len(strings.Fields(string(out)))
}

// budget gives all images together next to nothing: only the one that serves stays, and a rollback says what is missing.
func (c *crashes) budget() {
	c.t.Helper()
	if err := appendFile(c.p.root+"/dokkurc", "export DOKKU_IMAGE_BUDGET_MB=1\n"); err != nil {
		c.t.Fatal(err)
	}
	if err := c.p.run(nil, c.p.bin+"/dokku", "cleanup"); err != nil {
		c.t.Error(err)
	}
	if got := c.images(); len(got) != 1 {
		c.t.Errorf("with a budget of 1 MB %d images are kept, want the one that serves", len(got))
	}
	out, err := c.p.command(nil, c.p.bin+"/dokku", "rollback", c.g.name).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is gone; choose another release") {
		c.t.Errorf("a rollback to an image that is gone: %v\n%s", err, out)
	}
	if err := c.g.agree(c.versions); err != nil {
		c.t.Error(err)
	}
}

// workDirs are the directories in which deploys of the test's apps unpack sources.
func (c *crashes) workDirs() (found []string) {
	root, err := os.Stat(c.p.root)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, pattern := range []string{"/dokku-crash-*", "/dokku-first[0-9]*-*"} {
		dirs, err := filepath.Glob(os.TempDir() + pattern)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, dir := range dirs { // not those of another user's platform that somebody has killed
			st, err := os.Stat(dir)
			if err == nil && st.Sys().(*syscall.Stat_t).Uid == root.Sys().(*syscall.Stat_t).Uid {
				found = append(found, dir)
			}
		}
	}
	return found
}
