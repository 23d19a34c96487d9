package testscripts

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mount mounts a file system until the test ends and returns where.
func mount(t *testing.T, args ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("mounts file systems: run as root, or with -short to leave this out")
	}
	dir := t.TempDir()
	host(t, append(append([]string{"mount"}, args...), dir)...)
	t.Cleanup(func() { unmount(t, dir) })
	return dir
}

// unmount waits for a file system that is still busy: a program that another test starts has our open files for the
// moment between fork and exec.
func unmount(t *testing.T, dir string) {
	t.Helper()
	err := unix.Unmount(dir, 0)
	for deadline := time.Now().Add(20 * time.Second); errors.Is(err, unix.EBUSY) && time.Now().Before(deadline); err = unix.Unmount(dir, 0) {
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		t.Errorf("cannot unmount %s: %v", dir, err)
	}
}

// host runs a program of the host, which has to end well.
func host(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// filler is a file that takes the space of a file system.
type filler struct{ path string }

// leave makes the file so long that there are n bytes, in whole pages, for others.
func (f filler) leave(t *testing.T, n int64) {
	t.Helper()
	f.give(t)
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(f.path), &st); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := unix.Fallocate(int(file.Fd()), 0, 0, int64(st.Bavail)*st.Bsize-n/st.Bsize*st.Bsize); err != nil {
		t.Fatal(err)
	}
}

// give gives the space back.
func (f filler) give(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(f.path); err != nil {
		t.Fatal(err)
	}
}

// fullCommand is a command for a full disk, which is repeated when there is space again.
type fullCommand struct {
	name    string
	small   bool // it writes some pages, not hundreds
	never   bool // it works on a full disk: it is what makes space
	run     func(round int) result
	undo    func(round int)
	prepare func() // before each run
}

// TestFullDisk has all state on a file system of 32 MB, and leaves less and less of it free. A command either does what
// it is there for or says in one line that there is no space; records stay whole, nothing is left behind; and the same
// command works when there is space again.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of commands, and a container engine: not in short mode")
	}
	t.Parallel()
	const levels = 40
	dir := mount(t, "-t", "tmpfs", "-o", "size=32m,mode=755", "tmpfs")
	s := newStore(t, dir)
	s.env = append(s.env, "DOKKU_MIN_FREE_MB=0")
	disk := filler{dir + "/filler"}
	tried, failed, damaged := 0, 0, 0
	for _, c := range fullCommands(t, s) {
		refused := 0
		for round := range levels {
			// The least that can be left comes last.
			level := int64(levels-1-round) * (512 << 10) / (levels - 1)
			if c.small {
				level = int64(levels-1-round) / 2 * 4096
			}
			if c.prepare != nil {
				c.prepare()
			}
			old := readTree(t, dir)
			disk.leave(t, level)
			r := c.run(round)
			disk.give(t)
			got := readTree(t, dir)
			again := c.run(round)
			done := readTree(t, dir)
			tried++
			what := fmt.Sprintf("%s with %d bytes left", c.name, level)
			if r.status != 0 {
				refused++
				if !strings.Contains(r.stderr, "o space left on device") || c.name != "push" && strings.Count(r.stderr, "\n") != 1 {
					t.Errorf("%s: says %q, want one line about space", what, r.stderr)
				}
			}
			fromOld, fromDone := difference(got, old), difference(got, done)
			if r.status == 0 && fromDone != "" || r.status != 0 && fromOld != "" {
				damaged++
				t.Errorf("%s: status %d; beside the old state %s; beside the new %s", what, r.status, fromOld, fromDone)
			}
			if r.status != 0 && again.status != 0 {
				t.Errorf("%s: with space again, %+v", what, again)
			}
			c.undo(round)
		}
		failed += refused
		t.Logf("%s: %d of %d levels were too little", c.name, refused, levels)
		if c.never != (refused == 0) || refused == levels {
			t.Errorf("%s: %d of %d levels were too little", c.name, refused, levels)
		}
	}
	t.Logf("%d tried, of which %d had too little space; %d damaged", tried, failed, damaged)
}

func fullCommands(t *testing.T, s *store) []fullCommand {
	s.must(t, "apps:create", "a")
	s.must(t, "config:set", "a", "KEPT=yes")
	s.must(t, "git:set", "a", "deploy-branch", "deploys") // so that no other branch does
	addKey, removeKey := keyOf(t, s)
	push := branchPusher(t, s)
	nothing := func(int) {}
	return []fullCommand{
		{name: "config:set", run: func(round int) result {
			args := []string{"config:set", "a"}
			for i := range 4 { // a single word cannot have so many bytes
				args = append(args, fmt.Sprintf("LONG%d=%d%s", i, round, strings.Repeat("x", 100<<10)))
			}
			return s.dokku(nil, args...)
		}, undo: func(int) { s.must(t, "config:unset", "a", "LONG0", "LONG1", "LONG2", "LONG3") }},
		{name: "acl-add", run: addKey, undo: removeKey},
		{name: "push", run: push, undo: nothing},
		{name: "git:set", small: true, run: func(round int) result {
			return s.dokku(nil, "git:set", "a", "deploy-branch", fmt.Sprint("branch", round))
		}, undo: nothing},
		{name: "ps:scale", small: true, run: func(round int) result { return s.dokku(nil, "ps:scale", "a", fmt.Sprint("web=", round)) }, undo: nothing},
		{name: "apps:create", small: true, run: func(int) result {
			r := s.dokku(nil, "apps:create", "b")
			if strings.Contains(r.stderr, "already taken") { // it was made in the first run
				return result{}
			}
			return r
		}, undo: func(int) { s.must(t, "apps:destroy", "--force", "b") }},
		{name: "apps:destroy", small: true, never: true, prepare: func() {
			if r := s.dokku(nil, "apps:create", "b"); r.status != 0 && !strings.Contains(r.stderr, "already taken") {
				t.Fatalf("%+v", r)
			}
			s.must(t, "nginx:build-config", "b") // which takes its lock
		}, run: func(int) result {
			r := s.dokku(nil, "apps:destroy", "--force", "b")
			if strings.Contains(r.stderr, "does not exist") {
				return result{}
			}
			return r
		}, undo: nothing},
	}
}

// keyOf returns what adds a key to a user whose home is in the store, and what removes it. There are many keys already.
func keyOf(t *testing.T, s *store) (add func(int) result, remove func(int)) {
	t.Helper()
	name := fmt.Sprintf("dokkud%d-%d", os.Getpid(), platforms.Add(1))
	sshcommand := s.bin + "/sshcommand"
	if err := os.Mkdir(s.dir+"/home", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host(t, "userdel", "--force", name) })
	if r := s.program([]string{"HOME_DIR=" + s.dir + "/home"}, "", sshcommand, "create", name, "true"); r.status != 0 {
		t.Fatalf("cannot make a user: %+v", r)
	}
	keys := s.dir + "/home/" + name + "/.ssh/authorized_keys"
	if err := os.WriteFile(keys, []byte(strings.Repeat("# of somebody else\n", 14_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key")
	host(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	add = func(round int) result {
		r := s.program([]string{"SSHCOMMAND_CHECK_DUPLICATE_FINGERPRINT=false"}, "", sshcommand, "acl-add", name, fmt.Sprint("key", round), key+".pub")
		if strings.Contains(r.stderr, "Duplicate ssh key name") {
			return result{}
		}
		return r
	}
	return add, func(round int) {
		if r := s.program(nil, "", sshcommand, "acl-remove", name, fmt.Sprint("key", round)); r.status != 0 {
			t.Errorf("acl-remove: %+v", r)
		}
	}
}

// branchPusher returns what pushes a commit of some 100 KB to a branch of app a that does not deploy, by git and dokku alone.
func branchPusher(t *testing.T, s *store) func(round int) result {
	t.Helper()
	work := t.TempDir()
	git := func(args ...string) result {
		return s.program(nil, "", append([]string{"git", "-C", work}, args...)...)
	}
	noise := make([]byte, 100_000)
	last := -1
	if r := git("init", "-q", "-b", "other"); r.status != 0 {
		t.Fatalf("git init: %+v", r)
	}
	return func(round int) result {
		if round != last {
			last = round
			_, _ = rand.Read(noise)
			if err := os.WriteFile(work+"/noise", noise, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", fmt.Sprint(round)}} {
				if r := git(args...); r.status != 0 {
					t.Fatalf("git %s: %+v", args[0], r)
				}
			}
		}
		return git("push", "-q", "--receive-pack=dokku git-receive-pack", s.root()+"/a", "other")
	}
}
