package testscripts

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCrashedRename kills the renaming of an app at each of its points. What comes next, a recovery, a command about
// the app or the renaming once more, finds the app under one of its two names, with all that belongs to it.
func TestCrashedRename(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	c := newCrashes(t)
	c.push("one")
	names := []string{c.g.name, "other"}
	for i, point := range failpoints(t, "rename-") {
		from, to := names[0], names[1]
		c.killed(point, "apps:rename", "--skip-deploy", from, to)
		if point != "rename-begun" {
			c.nginxReads(point, from, to)
		}
		next := [][]string{{"recover"}, {"ps", to}, {"apps:rename", from, to}}[i%3]
		if point == "rename-begun" { // nothing has happened
			next = []string{"ps", from}
		} else {
			names[0], names[1] = to, from
		}
		if out, err := c.p.command(nil, append([]string{c.p.bin + "/dokku"}, next...)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %v\n%s", point, next, err, out)
		}
		c.g.name = names[0]
		for _, gone := range []string{names[1], ".cloning-" + names[1]} {
			if _, err := os.Lstat(filepath.Join(c.p.root, gone)); err == nil {
				t.Errorf("%s: %s is there, too", point, gone)
			}
		}
		if body, err := c.g.get(client(false)); err != nil || body != "one" {
			t.Errorf("%s: got %q, %v", point, body, err)
		}
		if found := c.p.doctor(t); len(found) > 0 {
			t.Errorf("%s: %q", point, found)
		}
		images, err := c.p.command(nil, "docker", "images", "-q", "dokku/"+names[1]).Output()
		if err != nil || len(images) > 0 {
			t.Errorf("%s: images %q of the other name, %v", point, images, err)
		}
	}
	c.push("two")
	if err := c.g.agree(c.versions); err != nil {
		t.Error(err)
	}
	c.killed("rename-moved", "apps:rename", "--skip-deploy", names[0], names[1])
	if err := c.p.run(nil, c.p.bin+"/dokku", "apps:destroy", "--force", names[1]); err != nil {
		t.Error(err)
	}
	for _, name := range names {
		containers, err1 := c.p.command(nil, "docker", "ps", "-aq", "--filter", "label=com.dokku.app-name="+name, "--filter", "label=com.dokku.instance="+c.p.root).Output()
		images, err2 := c.p.command(nil, "docker", "images", "-q", "dokku/"+name).Output()
		if err := errors.Join(err1, err2); err != nil || len(containers) > 0 || len(images) > 0 {
			t.Errorf("destroyed, and under %s there are containers %q, images %q, %v", name, containers, images, err)
		}
	}
}

// nginxReads finds that nginx reads of the app what is in its directory, when a renaming was killed at the point: another
// app's deploy, or a reload by hand, has it read all. Where it was killed a moment earlier, whoever deploys sees to that.
func (c *crashes) nginxReads(point, from, to string) {
	c.t.Helper()
	conf := filepath.Join(c.p.root, to, "nginx.conf")
	text, err := os.ReadFile(conf)
	now, before := c.p.root+"/"+to+"/", c.p.root+"/"+from+"/"
	if err != nil || !strings.Contains(string(text), now) || strings.Contains(string(text), before) {
		c.t.Errorf("%s: got %s, %v", point, text, err)
	}
	if point != "rename-moved" {
		return
	}
	if err := os.WriteFile(conf, []byte(strings.ReplaceAll(string(text), now, before)), 0o644); err != nil {
		c.t.Fatal(err)
	}
	if err := c.p.run(nil, c.p.bin+"/dokku", "nginx:validate-config", "--clean"); err != nil {
		c.t.Errorf("%s: %v", point, err)
	}
	if got, err := os.ReadFile(conf); err != nil || string(got) != string(text) {
		c.t.Errorf("%s: nginx has read %s, %v", point, got, err)
	}
}

// TestCrashedClone kills the cloning of an app at each of its points: there is no copy after a recovery, and another try
// succeeds.
func TestCrashedClone(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	c := newCrashes(t)
	c.push("one")
	for i, point := range failpoints(t, "clone-") {
		c.killed(point, "apps:clone", "--skip-deploy", c.g.name, "copy")
		again := i%2 == 1 && point == "clone-copied"
		if !again {
			if out, err := c.p.command(nil, c.p.bin+"/dokku", "recover").CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", point, err, out)
			}
		}
		for _, dir := range []string{"copy", ".cloning-copy"} {
			if _, err := os.Lstat(filepath.Join(c.p.root, dir)); err == nil && !again {
				t.Errorf("%s: %s is left", point, dir)
			}
		}
		if err := errors.Join(c.p.run(nil, c.p.bin+"/dokku", "apps:clone", "--skip-deploy", c.g.name, "copy"),
			c.p.run(nil, c.p.bin+"/dokku", "apps:destroy", "--force", "copy")); err != nil {
			t.Errorf("%s: %v", point, err)
		}
		if found := c.p.world(t); len(found) > 0 {
			t.Errorf("%s: %q", point, found)
		}
	}
	if err := c.g.agree(c.versions); err != nil {
		t.Error(err)
	}
}
