package testscripts

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mark is a variable that the platform's commands get, by ssh too: who has it was started by one of them.
func (p *platform) mark() string { return "DOKKU_TEST_MARK=" + p.user }

// worldPatience is how long the world has to come to rest: an app is locked, or a hook runs, a moment longer than the
// command that was waited for.
const worldPatience = 2 * time.Second

// world returns what is not as it should be: what dokku doctor calls a violation, an app that stays locked, a process
// that is left of a command, a file beside DOKKU_ROOT and DOKKU_LIB_ROOT that is not as at the beginning, and which of
// apps does not answer. An app is NAME, or NAME=BODY when it has to answer with BODY.
func (p *platform) world(t *testing.T, apps ...string) []string {
	t.Helper()
	for deadline := time.Now().Add(worldPatience); ; time.Sleep(50 * time.Millisecond) {
		found := slices.Concat(p.doctor(t), p.marked(), p.beside.differences(p.canary(t)))
		for _, app := range apps {
			name, want, given := strings.Cut(app, "=")
			if got, err := (&pusher{p: p, name: name}).get(client(false)); err != nil || given && got != want {
				found = append(found, fmt.Sprintf("%s answers %q, %v, want %q", name, got, err, want))
			}
		}
		if len(found) == 0 || time.Now().After(deadline) {
			return found
		}
	}
}

// doctor runs dokku doctor and returns its violations, and the apps that are locked.
func (p *platform) doctor(t *testing.T) []string {
	t.Helper()
	var findings []struct{ Level, Check, App, Problem, Do string }
	var diag bytes.Buffer
	cmd := p.command(nil, p.bin+"/dokku", "doctor", "--format", "json")
	cmd.Stderr = &diag
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &findings); err != nil {
		t.Fatalf("dokku doctor prints what is no JSON: %v\n%s%s", err, out, diag.String())
	}
	var found []string
	for _, f := range findings {
		if f.Level == "violation" || f.Check == "locks" && f.Problem != "" {
			found = append(found, strings.TrimSpace(fmt.Sprintf("%s: %s: %s; do: %s", f.Check, f.App, f.Problem, f.Do)))
		}
	}
	if (err != nil) != slices.ContainsFunc(findings, func(f struct{ Level, Check, App, Problem, Do string }) bool { return f.Level == "violation" }) {
		found = append(found, fmt.Sprintf("dokku doctor ends with %v, and that is not what it has found: %v", err, found))
	}
	return found
}

// marked lists the processes that have the mark, but for those that watch over old containers or end them.
func (p *platform) marked() []string {
	var out []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !slices.Contains(strings.Split(string(env), "\x00"), p.mark()) {
			continue
		}
		dir := filepath.Dir(file)
		if pid, _ := strconv.Atoi(filepath.Base(dir)); pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile(dir + "/cmdline")
		words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		if err != nil || len(words) > 1 && strings.HasPrefix(words[1], "scheduler-docker-local:") {
			continue
		}
		out = append(out, fmt.Sprintf("process %s is left: %s", filepath.Base(dir), strings.Join(words, " ")))
	}
	return out
}

// canary is what is beside the directories that dokku may write to: the sum of each file by its path.
type canary map[string]string

// canary takes the sums of the files below the platform's directory that are not dokku's.
func (p *platform) canary(t *testing.T) canary {
	t.Helper()
	sums := canary{}
	// Of dokku, of the daemons, of scripts that run at the same time, and of tests that need a place there.
	others := []string{p.root, p.lib, p.dir + "/nginx", p.dir + "/in_process", p.dir + "/executed", p.dir + "/work"}
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case slices.Contains(others, path):
			return fs.SkipDir
		case strings.HasSuffix(path, ".log"):
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sum := info.Mode().String()
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		sums[path] = sum
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func (before canary) differences(now canary) []string {
	var out []string
	all := maps.Clone(before)
	maps.Copy(all, now)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if before[path] != now[path] {
			out = append(out, fmt.Sprintf("%s was %q and is %q", path, before[path], now[path]))
		}
	}
	return out
}

// TestWorld makes sure that the world check finds nothing where all is well, and what it is there for where not.
func TestWorld(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	p := newPlatform(t)
	work := p.dir + "/work"
	if err := os.MkdirAll(work+"/plugins", 0o755); err != nil {
		t.Fatal(err)
	}
	plugins, err := p.plugins(work)
	if err != nil {
		t.Fatal(err)
	}
	g := newPusher(t, p, "world", plugins)
	g.commit(t, "one")
	if out, err := g.push(); err != nil {
		t.Fatalf("cannot push: %v\n%s", err, out)
	}
	if found := p.world(t, "world=one"); len(found) > 0 {
		t.Errorf("all is well: got %q", found)
	}
	began := time.Now()
	found := p.doctor(t)
	if t.Logf("dokku doctor of one app takes %s", time.Since(began)); len(found) > 0 {
		t.Errorf("dokku doctor: got %q, want nothing", found)
	}
	p.worldFinds(t, g, work)
	p.worldWithout(t)
}

// worldFinds does what must not be, and looks whether it is found: a hook that leaves a process behind, a file of
// nobody, a container that is dead.
func (p *platform) worldFinds(t *testing.T, g *pusher, work string) {
	t.Helper()
	if err := os.MkdirAll(work+"/plugins/sloppy", 0o755); err != nil {
		t.Fatal(err)
	}
	hook := work + "/plugins/sloppy/post-deploy"
	if err := os.WriteFile(hook, []byte("#!/bin/sh\nsleep 61 >/dev/null 2>&1 &\necho $! >"+p.root+"/left\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	g.commit(t, "two")
	if out, err := g.push(); err != nil {
		t.Fatalf("cannot push: %v\n%s", err, out)
	}
	defer func() {
		text, err := os.ReadFile(p.root + "/left")
		pid, convErr := strconv.Atoi(strings.TrimSpace(string(text)))
		if err = errors.Join(err, convErr); err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err != nil {
			t.Error(err)
		}
	}()
	if err := os.WriteFile(p.dir+"/canary", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.run(nil, "docker", "kill", "world.web.1"); err != nil {
		t.Fatal(err)
	}
	found := strings.Join(p.world(t, "world=three"), "\n")
	for _, want := range []string{"is left: sleep 61", p.dir + `/canary was ""`, "world answers "} {
		if !strings.Contains(found, want) {
			t.Errorf("got %q, want %q among them", found, want)
		}
	}
}

// worldWithout has doctor look with nginx down and an engine that hangs, or is not there: it says so, and soon.
func (p *platform) worldWithout(t *testing.T) {
	t.Helper()
	for _, cmd := range p.processes {
		if filepath.Base(cmd.Path) == "nginx" {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	}
	hung, err := net.Listen("unix", p.dir+"/hung") // it is connected to, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	if err := os.Chmod(p.dir+"/hung", 0o777); err != nil {
		t.Fatal(err)
	}
	settings := p.root + "/.dokkurc"
	if err := os.MkdirAll(settings, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(settings)
	for socket, want := range map[string]string{"hung": "does not answer within 3s", "none": "the docker engine does not answer (is it running"} {
		if err := os.WriteFile(settings+"/engine", []byte("export DOCKER_HOST=unix://"+p.dir+"/"+socket+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		found := strings.Join(p.doctor(t), "\n")
		took := time.Since(began)
		if t.Logf("dokku doctor with engine %s takes %s", socket, took); took > 10*time.Second { // 5, and more on a busy machine
			t.Errorf("%s: it took %s", socket, took)
		}
		for _, problem := range []string{want, "nginx does not run", "start docker (systemctl start docker)"} {
			if !strings.Contains(found, problem) {
				t.Errorf("%s: got %s, want %q among it", socket, found, problem)
			}
		}
	}
}
