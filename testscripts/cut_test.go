package testscripts

import (
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// wire is a way to the platform's sshd that breaks after so many bytes of the client.
type wire struct {
	config string
	left   atomic.Int64
	broken chan struct{} // gets one when it broke
}

func newWire(t *testing.T, p *platform, plugins string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w := &wire{config: filepath.Join(t.TempDir(), "ssh_config"), broken: make(chan struct{}, 1)}
	through := *p
	through.sshPort = l.Addr().(*net.TCPAddr).Port
	if err := through.sshConfig(w.config, []string{"PLUGIN_PATH=" + plugins}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.sshPort))
			if err != nil {
				client.Close()
				continue
			}
			go w.carry(client, server)
		}
	}()
	return w
}

func (w *wire) carry(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if w.left.Add(int64(-n)) < 0 {
			w.broken <- struct{}{}
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// stored is the size of all files of the app's repository, and those that only a push under way has.
func stored(t *testing.T, dir string) (bytes int64, quarantined []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // it has just gone
		}
		if err != nil {
			return err
		}
		if st, err := d.Info(); err == nil && st.Mode().IsRegular() {
			bytes += st.Size()
		}
		if name := d.Name(); strings.Contains(name, "incoming-") || strings.HasPrefix(name, "tmp_") {
			quarantined = append(quarantined, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes, quarantined
}

// TestCutPushes breaks the connection of pushes, or kills who pushes, at several places of a large pack and in the build:
// no branch moves, the same push succeeds right afterwards, and then the disk has no more than what it stored. DOKKU_TEST_FULL takes 200 MB
// and thirty cuts.
func TestCutPushes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	size, rounds := int64(16<<20), 1
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		size, rounds = 200<<20, 5
	}
	p := newPlatform(t)
	at := newGate(t, p, "work/cut", "pre-build")
	w := newWire(t, p, at.plugins)
	tried, survived := 0, 0
	for round := range rounds {
		for i, place := range []int64{10, 50, 90, 10, 90, 0} { // percent; 0 is in the build
			tried++
			if cutOnce(t, p, at, w, fmt.Sprintf("cut%d-%d", round, i), place, size, i%2 == 0) {
				survived++
			}
		}
	}
	if found := p.world(t); len(found) > 0 {
		t.Errorf("%q", found)
	}
	t.Logf("%d cuts of %d MB tried, %d survived", tried, size>>20, survived)
}

func cutOnce(t *testing.T, p *platform, at *gate, w *wire, name string, place, size int64, kill bool) bool {
	t.Helper()
	g := newPusher(t, p, name, at.plugins)
	g.commit(t, "one")
	if out, err := g.push(); err != nil {
		t.Errorf("%s: cannot push: %v\n%s", name, err, out)
		return false
	}
	repository := filepath.Join(p.root, name)
	ref := g.ref(t)
	before, _ := stored(t, repository+"/objects")
	noise := make([]byte, size)
	_, _ = rand.Read(noise) // it never fails
	g.write(t, g.dir, "noise", string(noise))
	g.write(t, g.dir, ".dockerignore", "noise\n")
	g.git(t, "add", "noise", ".dockerignore")
	g.commit(t, "two")
	cut := *g
	cut.env = append(append([]string{}, g.env...), "GIT_SSH_COMMAND=ssh -F "+w.config)
	w.left.Store(size * 2)
	if place > 0 {
		w.left.Store(size * place / 100)
	} else {
		at.close(t, "pre-build")
	}
	r := cut.start(t)
	if place > 0 {
		<-w.broken
	} else {
		at.reached(t, "pre-build")
	}
	if kill || place == 0 {
		r.kill()
	}
	if err := <-r.done; err == nil {
		t.Errorf("%s, at %d %%: the push succeeded", name, place)
		return false
	}
	if place == 0 {
		at.open(t, "pre-build")
	}
	if now := g.ref(t); now != ref {
		t.Errorf("%s, at %d %%: the branch was at %s and is at %s", name, place, ref, now)
	}
	out, err := g.push()
	body, getErr := g.get(client(false))
	if err != nil || getErr != nil || body != "two" {
		t.Errorf("%s, at %d %%: the push after it: %v; %q is served, %v\n%s", name, place, err, body, getErr, out)
		return false
	}
	if after, quarantined := stored(t, repository+"/objects"); len(quarantined) > 0 || after > before+size+size/50 {
		t.Errorf("%s, at %d %%: %d bytes were stored and are %d, in quarantine is %q", name, place, before, after, quarantined)
		return false
	}
	if err := p.run(nil, p.bin+"/dokku", "--force", "apps:destroy", name); err != nil {
		t.Error(err)
	}
	return true
}
