package app_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/queue"
)

// environ returns a lookup of variables.
func environ(vars map[string]string) func(string) string {
	return func(key string) string { return vars[key] }
}

// onWait is a wish that calls f when it has to wait.
func onWait(f func()) queue.Wish { return queue.Wish{Waiting: func(int) { f() }} }

func noWait(t *testing.T) queue.Wish {
	return onWait(func() { t.Helper(); t.Error("waits for a lock that nobody holds") })
}

// limited is a context that a test which hangs does not outlive.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func lock(t *testing.T, a app.App, vars map[string]string) *app.Lock {
	t.Helper()
	l, err := a.Lock(limited(t), environ(vars), noWait(t))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// isLocked tries the lock without waiting.
func isLocked(t *testing.T, a app.App) bool {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	busy := errors.New("busy")
	l, err := a.Lock(ctx, environ(nil), onWait(func() { cancel(busy) }))
	if err == nil {
		l.Unlock()
		return false
	}
	if !errors.Is(err, busy) {
		t.Fatal(err)
	}
	return true
}

// TestLockExcludes has many lockers add to one number, each of which would lose additions without the lock.
func TestLockExcludes(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	var inside, waited atomic.Int32
	sum := 0
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			var once sync.Once
			l, err := a.Lock(limited(t), environ(nil), onWait(func() { once.Do(func() { waited.Add(1) }) }))
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Unlock()
			if n := inside.Add(1); n != 1 {
				t.Errorf("got %d holders at once", n)
			}
			sum++
			runtime.Gosched()
			inside.Add(-1)
		})
	}
	wg.Wait()
	if sum != 10 || waited.Load() > 9 {
		t.Errorf("got %d additions and %d waiters told, want 10 and at most 9", sum, waited.Load())
	}
}

// TestLockWaits tells who waits once, and lets the caller give up.
func TestLockWaits(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	held := lock(t, a, nil)
	told := make(chan struct{}, 10)
	got := make(chan error)
	go func() {
		l, err := a.Lock(limited(t), environ(nil), onWait(func() { told <- struct{}{} }))
		if err == nil {
			l.Unlock()
		}
		got <- err
	}()
	<-told
	held.Unlock()
	if err := <-got; err != nil || len(told) != 0 {
		t.Errorf("got %v and %d more calls of waiting, want the lock and none", err, len(told))
	}
	held = lock(t, a, nil)
	defer held.Unlock()
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the pusher has gone")
	if _, err := a.Lock(ctx, environ(nil), onWait(func() { cancel(gone) })); !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
}

// TestLockHeldByAncestor gives a hook's command the token of the push that runs it.
func TestLockHeldByAncestor(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	held := lock(t, a, nil)
	env := map[string]string{app.LockTokenEnv: held.Token()}
	inner := lock(t, a, env)
	if inner.Token() != held.Token() {
		t.Errorf("got token %q, want that of the holder, %q", inner.Token(), held.Token())
	}
	inner.Unlock()
	if !isLocked(t, a) {
		t.Error("a command of a hook gave up the lock of the push")
	}
	for _, token := range []string{"", "one:", "one:GUESS", held.Token() + "x", "two" + held.Token()[3:]} {
		if a.HeldByAncestor(token) {
			t.Errorf("token %q counts as that of the holder", token)
		}
	}
	other := app.App{Name: "two", Root: a.Root}
	if err := os.Mkdir(other.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	l := lock(t, other, env)
	if l.Token() == held.Token() {
		t.Error("the lock of one app is the lock of another")
	}
	l.Unlock()
	held.Unlock()
	if a.HeldByAncestor(held.Token()) {
		t.Error("a token counts when its lock is given back")
	}
	again := lock(t, a, env)
	defer again.Unlock()
	if !isLocked(t, a) {
		t.Error("an old token kept a command from taking the lock")
	}
}

// TestLockInherited is a push: git has the lock file open, its hook takes the lock on that descriptor and ends, and the
// lock lives until git ends.
func TestLockInherited(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	fd, err := a.OpenLockFile()
	if err != nil {
		t.Fatal(err)
	}
	hook, err := unix.Dup(fd) // as if the hook were another process
	if err != nil {
		t.Fatal(err)
	}
	l := lock(t, a, map[string]string{app.LockFDEnv: strconv.Itoa(hook)})
	if flags, err := unix.FcntlInt(uintptr(hook), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("got flags %v, %v: programs of the deploy would keep the lock", flags, err)
	}
	if !a.HeldByAncestor(l.Token()) {
		t.Error("the token is not the holder's")
	}
	l.Unlock()
	if a.HeldByAncestor(l.Token()) {
		t.Error("the token counts after the hook")
	}
	if !isLocked(t, a) {
		t.Error("the lock ended with the hook, before git has moved the ref")
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(l)
	// The hook's process would have ended; here its descriptor ends when the lock is collected.
	for deadline := time.Now().Add(10 * time.Second); isLocked(t, a); runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("the lock outlives git")
		}
	}
}

// TestLockForeignDescriptor gives the number of a descriptor that is something else: it stays open and untouched.
func TestLockForeignDescriptor(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	path := filepath.Join(t.TempDir(), "foreign")
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{strconv.Itoa(fd), "1", "-1", "99999", "x", ""} {
		l := lock(t, a, map[string]string{app.LockFDEnv: value})
		if !isLocked(t, a) {
			t.Errorf("%s=%q: the app is not locked", app.LockFDEnv, value)
		}
		l.Unlock()
		if isLocked(t, a) {
			t.Errorf("%s=%q: the lock was not given back", app.LockFDEnv, value)
		}
	}
	for range 3 { // a wrapper of the descriptor would close it when it is collected
		runtime.GC()
		runtime.Gosched()
	}
	var open, named unix.Stat_t
	if err := unix.Fstat(fd, &open); err != nil || unix.Stat(path, &named) != nil || open.Ino != named.Ino {
		t.Errorf("the descriptor of something else was closed: %v", err)
	}
	_ = unix.Close(fd)
}

// TestLockDestroyed waits for an app that is destroyed meanwhile, and for one that is destroyed and made anew.
func TestLockDestroyed(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		a := newApp(t, nil)
		held := lock(t, a, nil)
		told := make(chan struct{})
		got := make(chan error)
		var l *app.Lock
		go func() {
			var err error
			l, err = a.Lock(limited(t), environ(nil), onWait(func() { close(told) }))
			got <- err
		}()
		<-told
		if err := os.RemoveAll(a.Dir()); err != nil {
			t.Fatal(err)
		}
		if again {
			if err := os.Mkdir(a.Dir(), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		held.Unlock()
		err := <-got
		var missing *app.NotFoundError
		switch {
		case !again && !errors.As(err, &missing):
			t.Errorf("destroyed: got %v, want that there is no such app", err)
		case again && err != nil:
			t.Errorf("made anew: %v", err)
		case again && !isLocked(t, a):
			t.Error("made anew: got a lock of the old file, which locks nothing")
		}
		if l != nil {
			l.Unlock()
		}
	}
	if _, err := (app.App{Name: "none", Root: t.TempDir()}).OpenLockFile(); err == nil {
		t.Error("no app: got a lock file")
	}
}

// TestLockDiesWithHolder kills a process that holds a lock.
func TestLockDiesWithHolder(t *testing.T) {
	t.Parallel()
	flock, err := exec.LookPath("flock")
	if err != nil {
		t.Fatal("flock is missing: install the package util-linux")
	}
	a := newApp(t, nil)
	fd, err := a.OpenLockFile()
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	cmd := exec.Command(flock, a.Path(".build.lock"), "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !isLocked(t, a); {
		if time.Now().After(deadline) {
			t.Fatal("the other process does not take the lock")
		}
	}
	if err := in.Close(); err != nil { // ends cat, and flock with it
		t.Fatal(err)
	}
	l, err := a.Lock(limited(t), environ(nil), onWait(func() {}))
	if err != nil {
		t.Fatal(err)
	}
	l.Unlock()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestLockPath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dir/lock")
	unlock, err := app.LockPath(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := app.LockPath(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("held: got %v, want that it was given up", err)
	}
	unlock()
	if unlock, err = app.LockPath(limited(t), path); err != nil {
		t.Fatalf("given back: %v", err)
	}
	unlock()
}
