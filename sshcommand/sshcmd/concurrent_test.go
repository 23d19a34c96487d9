package sshcmd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

// TestConcurrentEdits: of many edits at once each one counts, and whoever reads meanwhile reads a whole file.
func TestConcurrentEdits(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("2000 edits, each of which waits for the disk")
	}
	const each, rounds = 50, 20
	a := testAccount(t)
	path := filepath.Join(a.home, sshDir, keysName)
	name := func(round, i int) string { return fmt.Sprintf("key %d of round %d", i, round) }
	var first bytes.Buffer
	for i := range each {
		line, err := authkeys.Format(authkeys.Entry{Name: name(0, i), Fingerprint: "SHA256:x", Key: newKey(t)}, a.home)
		if err != nil {
			t.Fatal(err)
		}
		stays, err := authkeys.Format(authkeys.Entry{Name: fmt.Sprint("stays ", i), Fingerprint: "SHA256:x", Key: newKey(t)}, a.home)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&first, "%s\n%s\n", line, stays)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, first.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := watch(t, path, 2*each)
	for round := 1; round <= rounds; round++ {
		var wg sync.WaitGroup
		for i := range each {
			wg.Go(func() {
				add, _, _ := newTool(a, newKey(t))
				if err := add.addKey(a.name, name(round, i), nil); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				remove, _, stderr := newTool(a, "")
				gone := name(round-1, i)
				err := remove.removeKeys(a.name, "name", gone, func(e authkeys.Entry) bool { return e.Name == gone })
				if err != nil || stderr.Len() > 0 {
					t.Errorf("%v, %s", err, stderr)
				}
			})
		}
		wg.Wait()
		var got, want []string
		keys, _, err := listKeys(a, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			got = append(got, k.Name)
		}
		for i := range each {
			want = append(want, name(round, i), fmt.Sprint("stays ", i))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: got %q, want %q", round, got, want)
		}
	}
	t.Logf("%d edits, %d reads by us, %d by ssh-keygen", 2*each*rounds, stop.ours.Load(), stop.others.Load())
	stop.stop()
}

// watcher reads a file all the time.
type watcher struct {
	ours, others atomic.Int64
	stop         func()
}

// watch has the file read without a break by us, and every 5 ms by ssh-keygen: never may it lack keys or have a line
// that is not whole. There are between keys/2 and keys*3/2 of them at any time.
func watch(t *testing.T, path string, keys int) *watcher {
	done := make(chan struct{})
	var wg sync.WaitGroup
	w := &watcher{}
	w.stop = sync.OnceFunc(func() {
		close(done)
		wg.Wait()
	})
	t.Cleanup(w.stop)
	loop := func(pause time.Duration, read func() (int, error), count *atomic.Int64) {
		for {
			select {
			case <-done:
				return
			case <-time.After(pause):
			}
			if n, err := read(); err != nil || n < keys/2 || n > keys*3/2 {
				t.Errorf("a reader saw %d keys, %v", n, err)
				return
			}
			count.Add(1)
		}
	}
	wg.Go(func() {
		loop(0, func() (int, error) {
			data, err := os.ReadFile(path)
			entries := authkeys.Parse(data).Entries()
			if lines := bytes.Count(data, []byte("\n")); lines != len(entries) || !bytes.HasSuffix(data, []byte("\n")) {
				return 0, fmt.Errorf("%d lines, %d entries: %w", lines, len(entries), err)
			}
			return len(entries), err
		}, &w.ours)
	})
	wg.Go(func() {
		loop(5*time.Millisecond, func() (int, error) {
			out, err := exec.Command("ssh-keygen", "-l", "-f", path).Output()
			return strings.Count(string(out), "\n"), err
		}, &w.others)
	})
	return w
}
