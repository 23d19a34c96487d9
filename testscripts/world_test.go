package testscripts

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// markEnv is a variable that a test gives to what it starts; who has it in its environment was started by the test, or
// by what that started.
const markEnv = "DOKKU_TEST_MARK"

// worldPatience is how long the world has to come to rest: an app is locked, or a hook runs, a moment longer than the
// command that was waited for.
const worldPatience = 2 * time.Second

// served is an app and what it has to answer; body "" is any answer.
type served struct{ app, body string }

// world returns what is not as it should be: what dokku doctor calls a violation, an app that stays locked, a process
// that is left of a command with the mark ("" looks for none), a file beside DOKKU_ROOT and DOKKU_LIB_ROOT that is not
// as in before (nil looks at none), an app that answers something else. It waits a little for the world to rest.
func (p *platform) world(t *testing.T, mark string, before canary, apps ...served) []string {
	t.Helper()
	var found []string
	for deadline := time.Now().Add(worldPatience); ; time.Sleep(50 * time.Millisecond) {
		found = p.look(t, mark, before, apps)
		if len(found) == 0 || time.Now().After(deadline) {
			return found
		}
	}
}

func (p *platform) look(t *testing.T, mark string, before canary, apps []served) []string {
	found := p.doctor(t)
	if mark != "" {
		found = append(found, marked(mark)...)
	}
	if before != nil {
		found = append(found, before.differences(p.canary(t))...)
	}
	for _, a := range apps {
		if got, err := (&pusher{p: p, name: a.app}).get(client(false)); err != nil || a.body != "" && got != a.body {
			found = append(found, fmt.Sprintf("%s answers %q, %v, want %q", a.app, got, err, a.body))
		}
	}
	return found
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
func marked(mark string) []string {
	var out []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !slices.Contains(strings.Split(string(env), "\x00"), markEnv+"="+mark) {
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
	// Of the daemons, and of scripts that run at the same time.
	others := []string{p.root, p.lib, p.dir + "/nginx", p.dir + "/in_process", p.dir + "/executed"}
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
	g := newPusher(t, p, "world", "")
	before := p.canary(t)
	g.commit(t, "one")
	if out, err := g.push(); err != nil {
		t.Fatalf("cannot push: %v\n%s", err, out)
	}
	if found := p.world(t, "nobody", before, served{"world", "one"}); len(found) > 0 {
		t.Errorf("all is well: got %q", found)
	}
	began := time.Now()
	if found := p.doctor(t); len(found) > 0 || time.Since(began) > time.Second {
		t.Errorf("dokku doctor: got %q after %s, want nothing within a second", found, time.Since(began))
	}
	child := exec.Command("sleep", "60")
	child.Env = append(os.Environ(), markEnv+"=left")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	if err := os.WriteFile(p.dir+"/canary", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.run(nil, "docker", "kill", "world.web.1"); err != nil {
		t.Fatal(err)
	}
	found := strings.Join(p.world(t, "left", before, served{"world", "two"}), "\n")
	for _, want := range []string{"containers: world: web.1 does not run", "is left: sleep 60", p.dir + `/canary was ""`, "world answers "} {
		if !strings.Contains(found, want) {
			t.Errorf("got %q, want %q among them", found, want)
		}
	}
}
