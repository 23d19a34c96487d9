package app_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/queue"
)

// TestLockBusy does not wait, and says who is in the way; an orderly end leaves the lock file empty.
func TestLockBusy(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	since := time.Now()
	w := queue.Wish{Entry: queue.Entry{Verb: "ps:rebuild", Who: "ann\x1b", Since: since}, NoWait: true}
	held, err := a.Lock(limited(t), environ(nil), w)
	if err != nil {
		t.Fatal(err)
	}
	if h := a.Holder(); h.Verb != "ps:rebuild" || h.Who != "ann\x1b" {
		t.Errorf("got holder %+v", h)
	}
	w.Verb = "push"
	_, err = a.Lock(limited(t), environ(nil), w)
	want := "cannot push one: it is busy: ps:rebuild by ann since " + since.Format("15:04:05") + "; try again later, or leave out --no-wait"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	held.Unlock()
	if st, err := os.Stat(a.Path(".build.lock")); err != nil || st.Size() != 0 {
		t.Errorf("got %v, %v, want an empty file", st, err)
	}
	if h := a.Holder(); h.Verb != "" {
		t.Errorf("got holder %+v of a lock that nobody holds", h)
	}
	held, err = a.Lock(limited(t), environ(nil), w)
	if err != nil {
		t.Fatal(err)
	}
	held.Unlock()
}

// push locks a as a push of a branch does, and returns a channel that has the outcome.
func push(t *testing.T, a app.App, branch, rev string, env map[string]string) (waits chan struct{}, outcome chan error) {
	waits, outcome = make(chan struct{}, 100), make(chan error, 1)
	go func() {
		l, err := a.Lock(limited(t), environ(env), queue.Wish{Entry: queue.Entry{Verb: "push", Branch: branch, Rev: rev},
			Waiting: func(int) { waits <- struct{}{} }})
		if err == nil {
			l.Unlock()
		}
		outcome <- err
	}()
	return waits, outcome
}

// TestLockOvertaken has pushes wait: of those of one branch only the newest gets the lock.
func TestLockOvertaken(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	held := lock(t, a, nil)
	var outcomes []chan error
	for _, p := range [][2]string{{"master", "1111111"}, {"other", "2222222"}, {"master", "3333333"}, {"master", "4444444"}} {
		waits, outcome := push(t, a, p[0], p[1], nil)
		<-waits
		outcomes = append(outcomes, outcome)
	}
	held.Unlock()
	for i, want := range []string{
		"cannot deploy 1111111: a newer push of master has come while this one waited; that one goes on", "",
		"cannot deploy 3333333: a newer push of master has come while this one waited; that one goes on", "",
	} {
		got := ""
		if err := <-outcomes[i]; err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("push %d: got %q, want %q", i+1, got, want)
		}
	}
}

// TestLockPushDestroyed has pushes wait for an app that is destroyed, and made anew or not: git has the old directory.
func TestLockPushDestroyed(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		a := newApp(t, nil)
		held := lock(t, a, nil)
		var outcomes []chan error
		for i := range 3 {
			fd, err := a.OpenLockFile()
			if err != nil {
				t.Fatal(err)
			}
			waits, outcome := push(t, a, "branch"+strconv.Itoa(i), "1111111", map[string]string{app.LockFDEnv: strconv.Itoa(fd)})
			<-waits
			outcomes = append(outcomes, outcome)
		}
		if err := os.Rename(a.Dir(), a.Dir()+".destroyed"); err != nil {
			t.Fatal(err)
		}
		if again {
			if err := os.Mkdir(a.Dir(), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		held.Unlock()
		for i, outcome := range outcomes {
			var destroyed *app.DestroyedError
			if err := <-outcome; !errors.As(err, &destroyed) {
				t.Errorf("made anew: %v: push %d: got %v, want that the app was destroyed", again, i, err)
			}
		}
		if again {
			lock(t, a, nil).Unlock()
		}
	}
}

// TestLockTornHolder finds text of somebody else in the lock file.
func TestLockTornHolder(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	for _, text := range []string{"", "one:TOKEN", "one:TOKEN\n", "one:TOKEN\n{", "one:TOKEN\nnull", "\n\n\n", strings.Repeat("\x00", 40)} {
		if err := os.WriteFile(a.Path(".build.lock"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if h := a.Holder(); h.Verb != "" {
			t.Errorf("%q: got holder %+v", text, h)
		}
		lock(t, a, nil).Unlock()
	}
	// One of before there were holders in it.
	if err := os.WriteFile(a.Path(".build.lock"), []byte("one:TOKEN"), 0o644); err != nil {
		t.Fatal(err)
	}
	if !a.HeldByAncestor("one:TOKEN") {
		t.Error("a token without a holder does not count")
	}
	f, err := os.Open(a.Path(".build.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Lock(limited(t), environ(nil), queue.Wish{NoWait: true}); err == nil || !strings.Contains(err.Error(), "somebody has its lock") {
		t.Errorf("got %v", err)
	}
}

// BenchmarkLock takes a lock that nobody wants.
func BenchmarkLock(b *testing.B) {
	a := newApp(b, nil)
	for b.Loop() {
		l, err := a.Lock(b.Context(), environ(nil), queue.Wish{Entry: queue.Entry{Verb: "push", Who: "tester", Since: time.Now()}})
		if err != nil {
			b.Fatal(err)
		}
		l.Unlock()
	}
}
