package testscripts

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// TestFullDiskSource deploys archives while little or no space is left, for state alone or for state and where sources are
// unpacked. Whatever comes of it, branch, records and what answers agree; with space again the same is deployed.
func TestFullDiskSource(t *testing.T) {
	if testing.Short() {
		t.Skip("deploys: not in short mode")
	}
	dir := mount(t, "-t", "tmpfs", "-o", "size=32m,mode=755", "tmpfs")
	s := newStore(t, dir)
	s.env = append(s.env, "DOKKU_MIN_FREE_MB=0", "DOKKU_WATCH=0", "DOKKU_WAIT_TO_RETIRE=0", "DOKKU_STOP_TIMEOUT=1")
	if err := os.Mkdir(dir+"/tmp", 0o755); err != nil {
		t.Fatal(err)
	}
	disk := filler{dir + "/filler"}
	s.must(t, "apps:create", "web")
	t.Cleanup(func() { s.must(t, "apps:destroy", "--force", "web") })
	s.must(t, "config:set", "web", "NO_VHOST=1") // nothing here is about nginx
	send := func(version string, env ...string) result {
		return s.program(env, archiveOf(t, version), s.bin+"/dokku", "git:from-archive", "web", "--")
	}
	branch := func() string {
		text, _ := os.ReadFile(s.root() + "/web/refs/heads/master")
		return strings.TrimSpace(string(text))
	}
	if r := send("first"); r.status != 0 {
		t.Fatalf("the first archive: %+v", r)
	}
	serving := "first"
	tried, refused := 0, 0
	for i, level := range []int64{0, 16 << 10, 144 << 10, 164 << 10, 400 << 10, 1200 << 10} {
		version := fmt.Sprint("with ", level)
		var env []string
		if i%2 == 0 { // the source is unpacked there too
			env = []string{"TMPDIR=" + dir + "/tmp"}
		}
		old := readTree(t, dir)
		disk.leave(t, level)
		r := send(version, env...)
		disk.give(t)
		tried++
		got := readTree(t, dir)
		if r.status == 0 {
			serving = version
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
		agree(t, s, serving, branch())
		for _, name := range leftovers(got) {
			t.Errorf("%d bytes left: %s is left behind", level, name)
		}
		for name := range got {
			if strings.Contains(name, "incoming-") || strings.HasPrefix(name, "tmp/") && name != "tmp/" {
				t.Errorf("%d bytes left: %s is left behind", level, name)
			}
		}
		if r := send(version); r.status != 0 {
			t.Errorf("%d bytes left, with space again: %+v", level, r)
		}
		serving = version
		agree(t, s, serving, branch())
	}
	t.Logf("%d archives with too little space tried, %d refused", tried, refused)
	if refused == 0 {
		t.Error("no archive was refused")
	}
}

// archiveOf is an app of which a version answers, with half a MB that cannot be made smaller.
func archiveOf(t *testing.T, version string) string {
	t.Helper()
	noise := make([]byte, 1<<19)
	_, _ = rand.NewChaCha8([32]byte{byte(len(version))}).Read(noise) // it never fails
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, text := range map[string]string{"Procfile": "web: python3 -m http.server $PORT\n", "index.html": version, "noise": string(noise)} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
