package testscripts

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sources deploys an app from archives, images and another repository, each time with a new version.
type sources struct {
	*crashes
	repository string            // what git:sync fetches
	images     map[string]string // version by image
	n          int
}

func newSources(t *testing.T) *sources {
	t.Helper()
	s := &sources{crashes: newCrashes(t), images: map[string]string{}}
	s.repository = s.p.dir + "/work/repository" // which the system user may read
	if err := os.MkdirAll(s.p.dir+"/work", 0o755); err != nil {
		t.Fatal(err)
	}
	s.push("first")
	s.g.git(t, "clone", "-q", s.g.dir, s.repository)
	return s
}

// kinds of sources.
func (s *sources) kinds() []string { return []string{"archive", "sync", "image"} }

// command makes a source of that version ready and returns the command that deploys it.
func (s *sources) command(kind, version string, env ...string) *exec.Cmd {
	s.t.Helper()
	s.commit(version)
	dokku := func(words ...string) *exec.Cmd {
		cmd := s.p.command(env, append([]string{s.p.bin + "/dokku"}, words...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return cmd
	}
	switch kind {
	case "sync":
		s.g.git(s.t, "-C", s.repository, "pull", "-q")
		return dokku("git:sync", "--build", s.g.name, s.repository)
	case "image":
		image := s.g.name + "-source:v1"
		if err := s.p.run(nil, "docker", "build", "-q", "-t", image, s.g.dir); err != nil {
			s.t.Fatal(err)
		}
		id, err := s.p.command(nil, "docker", "image", "inspect", "-f", "{{.Id}}", image).Output()
		if err != nil {
			s.t.Fatal(err)
		}
		s.images[strings.TrimSpace(string(id))] = version
		return dokku("git:from-image", s.g.name, image)
	}
	cmd := dokku("git:from-archive", s.g.name, "--")
	cmd.Stdin = bytes.NewReader(s.archive())
	return cmd
}

// archive is the source as it is now, as a tar.
func (s *sources) archive() []byte {
	s.t.Helper()
	data, err := s.g.command("archive", "--prefix=app/", "HEAD").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// learn finds out which version the commit of the current release is.
func (s *sources) learn() {
	s.t.Helper()
	_, current, err := s.p.releases(s.g.name)
	if err != nil || current == nil {
		s.t.Fatalf("nothing is in service: %v", err)
	}
	show := func(file string) string {
		out, _ := s.p.command(nil, "git", "--git-dir="+filepath.Join(s.p.root, s.g.name), "-c", "safe.directory=*", "show", current.Revision+":"+file).Output()
		return string(out)
	}
	version := show("version")
	if _, rest, ok := strings.Cut(show("Dockerfile"), " of the image "); ok {
		id, _, _ := strings.Cut(rest, "\n")
		version = s.images[id]
	}
	s.versions[current.Revision] = version
}

// again deploys a source that was killed once more, which has to succeed.
func (s *sources) again(kind, what string) {
	s.t.Helper()
	s.n++
	version := fmt.Sprintf("%s again %d", kind, s.n)
	if out, err := s.command(kind, version).CombinedOutput(); err != nil {
		s.t.Errorf("%s after one that was killed %s: %v\n%s", kind, what, err, out)
		return
	}
	s.learn()
	if err := s.g.agree(s.versions); err != nil {
		s.t.Errorf("%s after one that was killed %s: %v", kind, what, err)
	}
	if body, err := s.g.get(client(false)); err != nil || body != version {
		s.t.Errorf("%s after one that was killed %s: got %q, %v, want %q", kind, what, body, err, version)
	}
	if _, left := stored(s.t, filepath.Join(s.p.root, s.g.name, "objects")); len(left) > 0 {
		s.t.Errorf("%s after one that was killed %s: in quarantine is %q", kind, what, left)
	}
}

// TestCrashedSources kills deploys of archives, images and repositories at points of the deploy and after a random time:
// what comes next finds the old or the new version in service and all in agreement, the branch included, and the same
// succeeds afterwards. Without DOKKU_TEST_FULL a part of the points is tried.
func TestCrashedSources(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	every, random := 5, 3
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		every, random = 1, 20
	}
	s := newSources(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for k, kind := range s.kinds() {
		for i, point := range failpoints(t, "deploy-") {
			if point == "deploy-files" || (i+k)%every != 0 {
				continue
			}
			s.n++
			if err := s.command(kind, fmt.Sprintf("%s %d", kind, s.n), "DOKKU_FAILPOINT="+point).Run(); err == nil {
				t.Errorf("%s was not killed at %s", kind, point)
			}
			s.learn()
			s.next(i, kind, point)
		}
		s.again(kind, "at a point")
		for i := range random {
			s.n++
			cmd := s.command(kind, fmt.Sprintf("%s %d", kind, s.n))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			after := time.Duration(dice.Int64N(int64(600 * time.Millisecond)))
			time.Sleep(after)
			s.killSession(cmd)
			_ = cmd.Wait()
			if out, err := s.p.command(nil, s.p.bin+"/dokku", "recover", s.g.name).CombinedOutput(); err != nil {
				t.Errorf("%s killed after %s: cannot recover: %v\n%s", kind, after, err, out)
			}
			s.learn()
			s.next(i, kind, after.String())
		}
		s.again(kind, "after a random time")
	}
	s.fetched()
	for _, dir := range s.workDirs() {
		t.Errorf("the work directory %s of what was killed is left", dir)
	}
	_ = s.p.run(nil, "docker", "rmi", "-f", s.g.name+"-source:v1")
	t.Logf("%d crashes of deploys from other sources, %d survived", s.tried, s.survived)
}

// killSession kills a command and all that it has started, which is in groups of its own in part.
func (s *sources) killSession(cmd *exec.Cmd) {
	out, _ := exec.Command("ps", "-o", "pid=", "-s", fmt.Sprint(cmd.Process.Pid)).Output()
	for field := range strings.FieldsSeq(string(out)) {
		var pid int
		if _, err := fmt.Sscan(field, &pid); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// fetched kills a git:sync that builds nothing, before the branch moves: it has not moved, and the next one moves it.
func (s *sources) fetched() {
	s.t.Helper()
	before := s.g.ref(s.t)
	s.commit("fetched")
	s.g.git(s.t, "-C", s.repository, "pull", "-q")
	s.killed("sync-stored", "git:sync", s.g.name, s.repository)
	if now := s.g.ref(s.t); now != before {
		s.t.Errorf("the branch was at %s and is at %s", before, now)
	}
	s.next(0, "a fetch", "sync-stored")
	if err := s.p.run(nil, s.p.bin+"/dokku", "git:sync", s.g.name, s.repository); err != nil {
		s.t.Error(err)
	}
	if now, want := s.g.ref(s.t), s.g.git(s.t, "rev-parse", "HEAD"); now != want {
		s.t.Errorf("the branch is at %s, want %s", now, want)
	}
}

// TestCutArchive breaks the connection over which an archive comes at several places, and has two come at once.
func TestCutArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	s := newSources(t)
	noise := make([]byte, 8<<20)
	dice := rand.NewChaCha8([32]byte{})
	_, _ = dice.Read(noise) // it never fails
	s.g.write(t, s.g.dir, "noise", string(noise))
	s.g.git(t, "add", "noise")
	s.commit("cut")
	config := filepath.Join(s.p.dir, "work/cut_ssh")
	if err := s.p.sshConfig(config, nil); err != nil {
		t.Fatal(err)
	}
	ssh := func() *exec.Cmd {
		return s.p.command(nil, "ssh", "-F", config, "dokku", "git:from-archive", s.g.name, "--")
	}
	data, before := s.archive(), s.g.ref(t)
	for _, percent := range []int{0, 10, 50, 99} {
		cmd := ssh()
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(data[:len(data)*percent/100]); err != nil {
			t.Error(err)
		}
		if percent == 50 {
			_ = cmd.Process.Kill()
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Errorf("at %d %%: the deploy succeeded", percent)
		}
		eventually(t, func() error {
			if dirs := s.workDirs(); len(dirs) > 0 {
				return fmt.Errorf("the work directories %q are left", dirs)
			}
			return nil
		})
		if now := s.g.ref(t); now != before {
			t.Errorf("at %d %%: the branch has moved from %s to %s", percent, before, now)
		}
		s.next(1, "an archive", fmt.Sprintf("%d %%", percent))
	}
	// Two at once are deployed one after the other.
	var both []*running
	for i := range 2 {
		s.commit(fmt.Sprint("at once ", i))
		cmd := ssh()
		cmd.Stdin = io.NopCloser(bytes.NewReader(s.archive()))
		both = append(both, begin(t, cmd))
	}
	for _, r := range both {
		if err := <-r.done; err != nil {
			t.Errorf("%v\n%s", err, r.out.String())
		}
	}
	s.learn()
	s.next(2, "two archives", "no point")
	if n := len(s.g.releases(t)); n != 3 {
		t.Errorf("got %d releases, want 3", n)
	}
	t.Logf("%d archives were cut or came at once, %d survived", s.tried, s.survived)
}
