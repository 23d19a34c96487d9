package testscripts

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// powerDisk is a file system in a file. The kernel writes to that file only what it was told to make last, and what it
// has to for that; a copy of the file is what a machine finds that lost power.
type powerDisk struct {
	image, at, checked string
}

func newPowerDisk(t *testing.T) *powerDisk {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "dokku-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	d := &powerDisk{image: dir + "/image", checked: t.TempDir()}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 16<<20); err != nil {
		t.Fatal(err)
	}
	host(t, "mkfs.ext4", "-q", "-b", "1024", "-N", "4096", "-J", "size=2", d.image)
	d.at = mount(t, "-o", "loop,commit=600", d.image)
	return d
}

// afterPowerLoss returns the tree that is found when power is lost now.
func (d *powerDisk) afterPowerLoss(t *testing.T) contents {
	t.Helper()
	image := d.still(t)
	// A file of another name each time: mount takes a loop device that still has the last one, with what it remembers.
	file, err := os.CreateTemp(filepath.Dir(d.image), "copy-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if _, err := file.Write(image); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	host(t, "mount", "-o", "loop", file.Name(), d.checked) // which replays the journal
	defer unmount(t, d.checked)
	return readTree(t, d.checked)
}

// still returns the image as it is at one moment: the kernel may write in it while it is read.
func (d *powerDisk) still(t *testing.T) []byte {
	t.Helper()
	var last []byte
	for {
		image, err := os.ReadFile(d.image)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(image, last) {
			return image
		}
		last = image
	}
}

// TestPowerLoss loses power after each of 200 commands that have ended well, and in the middle of others: what a command
// has done is there, and each record is whole.
func TestPowerLoss(t *testing.T) {
	if testing.Short() {
		t.Skip("mounts hundreds of file systems: not in short mode")
	}
	t.Parallel()
	const commands = 200
	d := newPowerDisk(t)
	s := newStore(t, d.at)
	addKey, removeKey := keyOf(t, s)
	seed := uint64(time.Now().UnixNano())
	p := &powerLoss{disk: d, s: s, random: rand.New(rand.NewPCG(seed, 1)), addKey: addKey, removeKey: removeKey}
	s.must(t, "apps:create", "a")
	s.must(t, "git:set", "a", "deploy-branch", "deploys")
	p.push = branchPusher(t, s)
	host(t, "sync", "-f", d.at) // what adduser has put into the new home is not ours
	p.before = readTree(t, d.at)
	for p.tried < commands {
		p.command(t)
	}
	t.Logf("seed %d: %d commands, of which %d were killed first: torn %d, lost %d", seed, p.tried, p.killed, p.torn, p.lost)
	if p.killed < commands/20 {
		t.Errorf("only %d commands were killed", p.killed)
	}
}

type powerLoss struct {
	disk               *powerDisk
	s                  *store
	random             *rand.Rand
	addKey             func(int) result
	removeKey          func(int)
	push               func(int) result
	before             contents // after the last command that ended well
	apps               int
	tried, killed      int
	torn, lost, rounds int
}

// command runs one command, every third with a point at which it is killed first, and looks what a loss of power leaves.
func (p *powerLoss) command(t *testing.T) {
	t.Helper()
	p.rounds++
	name, run := p.choose()
	if p.rounds%3 == 0 {
		point := []string{"record-written", "record-renamed"}[p.random.IntN(2)]
		env := []string{fmt.Sprintf("DOKKU_FAILPOINT=%s:%d", point, 1+p.random.IntN(3))}
		if r := run(env); r.killed {
			p.killed++
			now := readTree(t, p.disk.at)
			found := p.disk.afterPowerLoss(t)
			for file, text := range found {
				if !strings.HasSuffix(file, "/") && !isTemporary(file) && text != p.before[file] && text != now[file] {
					p.torn++
					t.Errorf("killed at %s in %s: %s is %.80q", env[0], name, file, text)
				}
			}
			for file, text := range p.before {
				if _, ok := now[file]; ok && !strings.HasSuffix(file, "/") && !found.has(file) {
					p.torn++
					t.Errorf("killed at %s in %s: %s is missing, was %.80q", env[0], name, file, text)
				}
			}
		}
	}
	if r := run(nil); r.status != 0 {
		t.Fatalf("%s: %+v", name, r)
	}
	p.tried++
	now := readTree(t, p.disk.at)
	found := p.disk.afterPowerLoss(t)
	if diff := difference(found.records(), now.records()); diff != "" {
		p.lost++
		t.Errorf("after %s has ended well: %s", name, diff)
	}
	p.before = now
}

// choose returns one of the commands, by chance.
func (p *powerLoss) choose() (name string, run func(env []string) result) {
	n := p.random.IntN(1000)
	round := p.rounds
	words := func(args ...string) (string, func([]string) result) {
		return strings.Join(args, " "), func(env []string) result { return p.s.dokku(env, args...) }
	}
	switch kind := n % 10; {
	case kind < 3:
		return words("config:set", "a", fmt.Sprintf("KEY%d=%s", n%7, strings.Repeat("v", n)), fmt.Sprint("OTHER=", n))
	case kind == 3:
		return words("config:unset", "a", fmt.Sprint("KEY", n%7), "OTHER")
	case kind == 4:
		return words("git:set", "a", "deploy-branch", fmt.Sprint("deploys", n))
	case kind == 5:
		return words("ps:scale", "a", fmt.Sprint("web=", n%5), fmt.Sprint("worker=", n%3))
	case kind == 6:
		return words("config:set", "--global", fmt.Sprint("KEY=", n))
	case kind == 7 && p.apps < 20:
		p.apps++
		return words("apps:create", fmt.Sprint("app", p.apps))
	case kind == 8:
		return "acl-add", func([]string) result { return p.addKey(round) }
	}
	return "git push", func([]string) result { return p.push(round) }
}

func isTemporary(file string) bool { return temporary.MatchString(filepath.Base(file)) }

// records leaves the temporary files out, which somebody who was killed has left.
func (c contents) records() contents {
	out := maps.Clone(c)
	for _, file := range slices.Collect(maps.Keys(c)) {
		if isTemporary(file) {
			delete(out, file)
		}
	}
	return out
}
