package testscripts

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFullDiskDeploy pushes while little or no space is left for state. Whatever comes of it, git, the records and what
// answers agree; with space again the same push is deployed.
func TestFullDiskDeploy(t *testing.T) {
	if testing.Short() {
		t.Skip("deploys: not in short mode")
	}
	dir := mount(t, "-t", "tmpfs", "-o", "size=32m,mode=755", "tmpfs")
	s := newStore(t, dir)
	s.env = append(s.env, "DOKKU_MIN_FREE_MB=0", "DOKKU_WATCH=0", "DOKKU_WAIT_TO_RETIRE=0", "DOKKU_STOP_TIMEOUT=1")
	disk := filler{dir + "/filler"}
	s.must(t, "apps:create", "web")
	t.Cleanup(func() { s.must(t, "apps:destroy", "--force", "web") })
	s.must(t, "config:set", "web", "NO_VHOST=1") // nothing here is about nginx
	work := t.TempDir()
	git := func(args ...string) result {
		return s.program(nil, "", append([]string{"git", "-C", work}, args...)...)
	}
	if r := git("init", "-q", "-b", "master"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	push := func() result {
		return git("push", "-q", "--receive-pack=dokku git-receive-pack", s.root()+"/web", "master")
	}
	commit := func(version string) (revision string) {
		for name, text := range map[string]string{"Procfile": "web: python3 -m http.server $PORT\n", "index.html": version} {
			if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		git("add", ".")
		git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", version)
		return strings.TrimSpace(git("rev-parse", "HEAD").stdout)
	}
	serving, revision := "first", commit("first")
	if r := push(); r.status != 0 {
		t.Fatalf("the first push: %+v", r)
	}
	tried, refused := 0, 0
	for _, level := range []int64{0, 8 << 10, 32 << 10, 144 << 10, 148 << 10, 156 << 10, 164 << 10} {
		version := fmt.Sprint("with ", level)
		next := commit(version)
		old := readTree(t, dir)
		disk.leave(t, level)
		r := push()
		disk.give(t)
		tried++
		got := readTree(t, dir)
		if r.status == 0 {
			serving, revision = version, next
		} else {
			refused++
			if diff := difference(got.deployed(), old.deployed()); diff != "" {
				t.Errorf("%d bytes left, refused: %s", level, diff)
			}
			if !strings.Contains(r.stderr, "space") {
				t.Errorf("%d bytes left: says nothing of space: %s", level, r.stderr)
			}
			t.Logf("%d bytes left: %s", level, firstLineWith(r.stderr, "space"))
		}
		agree(t, s, serving, revision)
		if files := leftovers(got); len(files) > 0 {
			t.Errorf("%d bytes left: %v is left behind", level, files)
		}
		if r := push(); r.status != 0 {
			t.Errorf("%d bytes left, with space again: %+v", level, r)
		}
		serving, revision = version, next
		agree(t, s, serving, revision)
	}
	t.Logf("%d pushes with too little space tried, %d refused", tried, refused)
	if refused == 0 {
		t.Error("no push was refused")
	}
}

func firstLineWith(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// deployed are the records of what is in service; those of deploys that have failed are history.
func (c contents) deployed() contents {
	out := contents{}
	for name, text := range c.records() {
		if ok, _ := path.Match("root/web/releases/*", name); !ok && !strings.HasPrefix(name, "root/web/objects/") && !strings.HasPrefix(name, "root/web/.queue/") && !strings.HasPrefix(name, "lib/data/") {
			out[name] = text
		}
	}
	return out
}

// agree makes sure that version answers, and that git has its commit on the branch.
func agree(t *testing.T, s *store, version, revision string) {
	t.Helper()
	ref, err := os.ReadFile(s.root() + "/web/refs/heads/master")
	if err != nil || strings.TrimSpace(string(ref)) != revision {
		t.Errorf("the branch is at %q (%v), want %s of %q", ref, err, revision, version)
	}
	port, err := os.ReadFile(s.root() + "/web/PORT")
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get("http://127.0.0.1:" + strings.TrimSpace(string(port)))
	if err != nil {
		t.Errorf("nothing answers, want %q: %v", version, err)
		return
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != version {
		t.Errorf("got %q, %v, want %q", body, err, version)
	}
}
