package testscripts

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// store is the state of a dokku that nobody reaches by ssh or http: its two roots, in a directory that may be a file
// system made to fail.
type store struct {
	bin, dir string
	env      []string
}

// newStore lays the core plugins down in dir, with root as the system user.
func newStore(t *testing.T, dir string) *store {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	s := &store{bin: bin, dir: dir}
	s.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "DOKKU_ROOT=" + s.root(), "DOKKU_LIB_ROOT=" + dir + "/lib", "DOKKU_SYSTEM_USER=root",
		"DOKKU_SYSTEM_GROUP=root", "DOCKER_HOST=" + os.Getenv("DOCKER_HOST"), "GIT_CONFIG_GLOBAL=/dev/null", "HOME=/nonexistent"}
	if err := os.MkdirAll(s.root(), 0o755); err != nil {
		t.Fatal(err)
	}
	s.must(t, "core-install")
	return s
}

func (s *store) root() string { return s.dir + "/root" }

// result is how a program ended.
type result struct {
	status int
	stdout string
	stderr string
	killed bool
}

// dokku runs it in a process group of its own, which a failpoint may kill.
func (s *store) dokku(env []string, args ...string) result {
	return s.program(env, "", append([]string{s.bin + "/dokku"}, args...)...)
}

func (s *store) program(env []string, stdin string, args ...string) result {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(slices.Clone(s.env), env...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	r := result{status: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	if err != nil && cmd.ProcessState == nil {
		r.stderr = err.Error()
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
		r.killed = ws.Signaled()
	}
	return r
}

func (s *store) must(t *testing.T, args ...string) {
	t.Helper()
	if r := s.dokku(nil, args...); r.status != 0 {
		t.Fatalf("dokku %s: %+v", strings.Join(args, " "), r)
	}
}

// contents are the files of a tree by their paths in it, a directory with a slash at its end. What is no state is left
// out: files that are there to be locked, the log of events, and the plugins.
type contents map[string]string

func readTree(t *testing.T, dir string) contents {
	t.Helper()
	files := contents{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "lib/core-plugins" || name == "lib/plugins" || d.Name() == "lost+found"):
			return fs.SkipDir
		case d.IsDir():
			files[name+"/"] = ""
		case d.Type().IsRegular() && !strings.HasSuffix(name, ".lock") && !strings.HasPrefix(d.Name(), "events.log"):
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files[name] = string(data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// temporary matches what a write has before it gives it the name of the record.
var temporary = regexp.MustCompile(`^\..+[0-9]{5,}$`)

// difference tells what is in one of the trees only or differs, "" when nothing does. Of directories only those of apps
// are compared: a command makes the others before it writes.
func difference(got, want contents) string {
	compared := func(name string) bool { return !strings.HasSuffix(name, "/") || isApp(name) }
	var out []string
	for name, text := range want {
		other, ok := got[name]
		switch {
		case !compared(name):
		case !ok:
			out = append(out, name+" is missing")
		case other != text:
			out = append(out, fmt.Sprintf("%s is %.40q, not %.40q", name, other, text))
		}
	}
	for name := range got {
		if _, ok := want[name]; compared(name) && !ok {
			out = append(out, name+" is there")
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// isApp tells whether name, from a tree of contents, is the directory of an app.
func isApp(name string) bool {
	return strings.HasPrefix(name, "root/") && strings.Count(name, "/") == 2 && strings.HasSuffix(name, "/") && name[len("root/")] != '.'
}

// leftovers are the temporary files in a tree.
func leftovers(c contents) (names []string) {
	for name := range c {
		if temporary.MatchString(filepath.Base(name)) || strings.HasPrefix(name, "root/.destroyed-") {
			names = append(names, name)
		}
	}
	return names
}

// diskCommand is a command whose parts are made to fail, one after the other.
type diskCommand struct {
	name   string
	before [][]string // makes the state that it finds
	args   []string
	again  string // what the command says when it is repeated and there is nothing to do
	steps  bool   // it goes step by step, and goes on when it is repeated
}

func diskCommands() []diskCommand {
	create, destroy := []string{"apps:create", "a"}, []string{"apps:destroy", "--force", "a"}
	set := []string{"config:set", "--no-restart", "a", "A=old", "B=two  words"}
	return []diskCommand{
		{name: "apps:create", args: create, again: "already taken"},
		{name: "config:set", before: [][]string{create, set}, args: []string{"config:set", "--no-restart", "a", "A=new", "C=3"}},
		{name: "config:unset", before: [][]string{create, set}, args: []string{"config:unset", "--no-restart", "a", "A"}},
		{name: "git:set", before: [][]string{create}, args: []string{"git:set", "a", "deploy-branch", "main"}},
		{name: "git:set to nothing", before: [][]string{create, {"git:set", "a", "deploy-branch", "main"}}, args: []string{"git:set", "a", "deploy-branch", ""}},
		{name: "ps:scale", before: [][]string{create, {"ps:scale", "a", "web=1"}}, args: []string{"ps:scale", "a", "web=2", "worker=1"}},
		{name: "apps:rename", before: [][]string{create, set, {"git:set", "a", "deploy-branch", "main"}}, args: []string{"apps:rename", "a", "b"}, again: "does not exist", steps: true},
		{name: "apps:clone", before: [][]string{create, set, {"git:set", "a", "deploy-branch", "main"}}, args: []string{"apps:clone", "a", "b"}, again: "already taken", steps: true},
		{name: "apps:destroy", before: [][]string{create, set, {"git:set", "a", "deploy-branch", "main"}}, args: destroy, again: "does not exist", steps: true},
	}
}

// TestIOErrors has every operation on the files of records fail, one after the other: once, as a broken disk does, and
// from then on, as a full one does. No command ends well unless all of it is done; what it leaves is the old state or
// the new; and the same command does it once the disk is well.
func TestIOErrors(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of commands, and a container engine: not in short mode")
	}
	t.Parallel()
	s := newStore(t, t.TempDir())
	tally := &ioTally{}
	for _, c := range diskCommands() {
		s.prepare(t, c)
		old := readTree(t, s.dir)
		s.must(t, c.args...)
		done := readTree(t, s.dir)
		before := tally.tried
		for n := 1; ; n++ {
			once := s.fail(t, tally, c, old, done, n, "")
			if onwards := s.fail(t, tally, c, old, done, n, "+"); !once && !onwards {
				break
			}
		}
		t.Logf("%s: %d failures", c.name, tally.tried-before)
		if tally.tried-before < 4 {
			t.Errorf("%s does next to nothing to its records", c.name)
		}
	}
	t.Logf("%d failures tried: %d false successes, %d times neither the old state nor the new", tally.tried, tally.false, tally.damaged)
}

type ioTally struct{ tried, false, damaged int }

// prepare makes the state that c finds.
func (s *store) prepare(t *testing.T, c diskCommand) {
	t.Helper()
	if err := os.RemoveAll(s.root()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(s.dir+"/lib/config"), os.RemoveAll(s.dir+"/lib/data"), os.Mkdir(s.root(), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, args := range c.before {
		s.must(t, args...)
	}
}

// fail runs c with operation n failing, judges what came of it, and runs it again; it returns false when c does less
// than n operations.
func (s *store) fail(t *testing.T, tally *ioTally, c diskCommand, old, done contents, n int, plus string) bool {
	t.Helper()
	s.prepare(t, c)
	errno := []string{"EIO", "ENOSPC", "EDQUOT"}[(n+len(plus))%3]
	counter := filepath.Join(t.TempDir(), "counter")
	r := s.dokku([]string{fmt.Sprintf("DOKKU_FAIL_IO=%d%s:%s:%s", n, plus, errno, counter)}, c.args...)
	operations, err := os.ReadFile(counter)
	if err != nil {
		t.Fatalf("%s touches no record: %v, %+v", c.name, err, r)
	}
	lines := strings.Split(strings.TrimSpace(string(operations)), "\n")
	if len(lines) < n {
		return false
	}
	tally.tried++
	what := fmt.Sprintf("%s, operation %d%s (%s) fails with %s", c.name, n, plus, lines[n-1], errno)
	got := readTree(t, s.dir)
	undone := difference(got, done)
	if r.status == 0 && undone != "" {
		tally.false++
		t.Errorf("%s: ends well, but %s", what, undone)
	}
	if r.status != 0 && (strings.Count(r.stderr, "\n") != 1 && plus == "" && !c.steps || !strings.Contains(r.stderr, " !     cannot ")) {
		t.Errorf("%s: says %q, want one line", what, r.stderr)
	}
	if why := half(got, old, done, c.steps || plus != ""); why != "" {
		tally.damaged++
		t.Errorf("%s: neither the old state nor the new: %s", what, why)
	}
	again := s.dokku(nil, c.args...)
	if again.status != 0 && (c.again == "" || !strings.Contains(again.stderr, c.again)) {
		t.Errorf("%s: repeated, %+v", what, again)
	}
	if diff := difference(orphaned(readTree(t, s.dir)), orphaned(done)); diff != "" {
		t.Errorf("%s: repeated, %s", what, diff)
	}
	return true
}

// half tells why got is neither of the states. While nothing at all can be written a command cannot take back what it
// did, and it is enough that each record is old or new.
func half(got, old, done contents, eachRecord bool) string {
	got, old, done = orphaned(got), orphaned(old), orphaned(done)
	fromOld, fromDone := difference(got, old), difference(got, done)
	if fromOld == "" || fromDone == "" {
		return ""
	}
	if !eachRecord {
		return fmt.Sprintf("beside the old %s; beside the new %s", fromOld, fromDone)
	}
	for name, text := range got {
		mark := strings.HasSuffix(name, "/.creating") || strings.HasSuffix(name, "/.destroying") || strings.HasSuffix(name, "/.renaming") ||
			strings.HasPrefix(name, "root/.cloning-") || strings.HasPrefix(name, "root/.destroyed-")
		if !strings.HasSuffix(name, "/") && !mark && text != old[name] && text != done[name] && text != old[strings.Replace(name, "root/b/", "root/a/", 1)] {
			return fmt.Sprintf("%s is %.80q", name, text)
		}
	}
	return ""
}

// orphaned leaves out the properties of apps that are not there: nobody sees them, and a new app of that name begins
// without.
func orphaned(c contents) contents {
	out := contents{}
	for name, text := range c {
		if rest, ok := strings.CutPrefix(name, "lib/config/git/"); ok {
			if app, _, _ := strings.Cut(rest, "/"); app != "" && !c.has("root/"+app+"/") {
				continue
			}
		}
		out[name] = text
	}
	return out
}

func (c contents) has(name string) bool { _, ok := c[name]; return ok }
