package testscripts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestDrift changes containers and records by hand, each time in another way, and then runs a command: it is not kept
// from its work, and what is left is mended by a recovery. DOKKU_TEST_FULL tries all commands with all changes.
func TestDrift(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	full := os.Getenv("DOKKU_TEST_FULL") != ""
	c := newCrashes(t)
	changes := []struct {
		name string
		make func(container string) error
	}{
		{"a container is removed", func(id string) error { return c.p.run(nil, "docker", "rm", "-f", id) }},
		{"one of ours is started", func(string) error {
			return c.p.run(nil, "docker", "run", "-d", "--label", "com.dokku.instance="+c.p.root, "--label", "com.dokku.app-name="+c.g.name,
				"--label", "com.dokku.container-type=deploy", "--label", "com.dokku.dyno=web.1", "--env", "PORT=5000", "dokku/"+c.g.name)
		}},
		{"the record names none", func(string) error {
			return os.WriteFile(filepath.Join(c.p.root, c.g.name, "CONTAINER.web.1"), []byte(strings.Repeat("0", 64)+"\n"), 0o644)
		}},
	}
	commands := []string{"push", "ps", "ps:restart", "cleanup", "apps:destroy --force"}
	tried, survived := 0, 0
	for i, change := range changes {
		for j, command := range commands {
			if !full && j%len(changes) != i {
				continue
			}
			tried++
			c.app(fmt.Sprintf("drift%d-%d", i, j))
			c.push("one")
			id, err := os.ReadFile(filepath.Join(c.p.root, c.g.name, "CONTAINER"))
			if err != nil {
				t.Fatal(err)
			}
			if err := change.make(strings.TrimSpace(string(id))); err != nil {
				t.Fatal(err)
			}
			if command == "push" {
				c.push("two")
			} else if err := c.p.run(nil, append([]string{c.p.bin + "/dokku"}, append(strings.Fields(command), c.g.name)...)...); err != nil {
				t.Errorf("%s, %s: %v", change.name, command, err)
			}
			if err := c.p.run(nil, c.p.bin+"/dokku", "recover"); err != nil {
				t.Errorf("%s, %s: %v", change.name, command, err)
			}
			if j < 4 {
				if err := c.g.agree(c.versions); err != nil {
					t.Errorf("%s, %s: %v", change.name, command, err)
				}
			}
			if found := c.p.world(t); len(found) > 0 {
				t.Errorf("%s, %s: %q", change.name, command, found)
				continue
			}
			survived++
		}
	}
	t.Logf("%d changes by hand, %d mended", tried, survived)
}

// TestManyApps deploys, changes and destroys many apps at the same time: each ends as if it had been alone.
// DOKKU_TEST_FULL makes it 50 apps, ten times.
func TestManyApps(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	n, rounds := 6, 1
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		n, rounds = 50, 10
	}
	c := newCrashes(t)
	apps := make([]*pusher, n)
	want := make([]string, n)
	for i := range apps {
		apps[i] = newPusher(t, c.p, fmt.Sprintf("many%d", i), "")
	}
	for round := range rounds {
		var wg sync.WaitGroup
		slots := make(chan struct{}, 10)
		for i, g := range apps {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				switch {
				case want[i] == "" || i%5 < 2:
					want[i] = fmt.Sprintf("%s in round %d", g.name, round)
					g.commit(t, want[i])
					if out, err := g.push(); err != nil {
						t.Errorf("cannot push %s: %v\n%s", g.name, err, out)
					}
				case i%5 < 4:
					if err := c.p.run(nil, c.p.bin+"/dokku", "config:set", g.name, fmt.Sprint("ROUND=", round)); err != nil {
						t.Error(err)
					}
				default:
					want[i] = ""
					if err := c.p.run(nil, c.p.bin+"/dokku", "apps:destroy", "--force", g.name); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var answers []string
		for i, g := range apps {
			if want[i] != "" {
				answers = append(answers, g.name+"="+want[i])
			} else if body, err := g.get(client(false)); err == nil {
				t.Errorf("%s is gone and answers %q", g.name, body)
			}
		}
		eventually(t, func() error { // with so many apps the last ones are tidied up for a while
			if found := c.p.world(t, answers...); len(found) > 0 {
				return fmt.Errorf("round %d: %q", round, found)
			}
			return nil
		})
	}
	t.Logf("%d apps, %d rounds", n, rounds)
}
