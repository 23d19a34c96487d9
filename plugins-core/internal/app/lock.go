package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/queue"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// Environment variables that go with the lock of an app.
const (
	// LockTokenEnv is given to every hook that runs while an app's lock is held, as APP:TOKEN: the dokku commands of
	// such a hook work on the app without waiting for a lock that their own ancestor holds.
	LockTokenEnv = "DOKKU_LOCK_TOKEN"
	// LockFDEnv is the number of a descriptor of the lock file that git-receive-pack was started with. A lock taken on
	// it lives until git has moved the ref, not only until the pre-receive hook ends.
	LockFDEnv = "DOKKU_LOCK_FD"
)

const lockFile = ".build.lock"

// queueDir is where those wait in line who want the lock.
const queueDir = ".queue"

// Lock is a held lock of an app; it dies with its holder.
type Lock struct {
	file   *os.File // nil: an ancestor holds the lock
	shared bool     // the open file is git-receive-pack's too
	token  string
	dirty  bool // the holder before died while it held it
}

// Lock takes the app's lock, for who w says, after those who came earlier. env tells whether an ancestor of this process
// holds it (then nothing is taken) or left a descriptor for it. A push that a newer one of its branch waits behind, and
// that had to wait itself, does not get it.
func (a App) Lock(ctx context.Context, env func(string) string, w queue.Wish) (*Lock, error) {
	if token := env(LockTokenEnv); a.HeldByAncestor(token) {
		return &Lock{token: token}, nil
	}
	path := a.Path(lockFile)
	var l *Lock
	try := func() (ok bool, err error) { l, err = a.tryLock(w.Entry); return l != nil, err }
	if fd, err := strconv.Atoi(env(LockFDEnv)); err == nil && fd > 2 && isFile(fd, path) {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), path)
		try = func() (ok bool, err error) { l, err = a.tryShared(f, w.Entry); return l != nil, err }
	}
	line := queue.Line(a.Path(queueDir))
	for {
		waited, err := line.Wait(ctx, w, try)
		switch {
		case errors.Is(err, queue.ErrBusy):
			return nil, &BusyError{App: a.Name, Verb: w.Verb, Holder: a.Holder()}
		case errors.Is(err, queue.ErrGone) && w.Branch != "":
			return nil, &DestroyedError{App: a.Name}
		case errors.Is(err, queue.ErrGone) && a.Exists():
			continue // and made anew
		case errors.Is(err, queue.ErrGone):
			return nil, &NotFoundError{Name: a.Name}
		case err != nil:
			return nil, lockError(a, err)
		case waited && w.Branch != "" && a.newerWaits(line, w.Branch):
			l.Unlock()
			return nil, &OvertakenError{Rev: w.Rev, Branch: w.Branch}
		}
		return l, nil
	}
}

// newerWaits tells whether a push of the branch stands in line. All who do came after the one that has the lock.
func (a App) newerWaits(line queue.Line, branch string) bool {
	waiting, err := line.Waiting()
	return err == nil && slices.ContainsFunc(waiting, func(e queue.Entry) bool { return e.Branch == branch })
}

// tryLock takes the lock if nobody has it.
func (a App) tryLock(e queue.Entry) (*Lock, error) {
	path := a.Path(lockFile)
	f, err := record.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &NotFoundError{Name: a.Name}
	}
	if err != nil {
		return nil, err
	}
	ok, err := tryFlock(f)
	// Destroying an app removes the file; a lock on a removed file locks nothing.
	if err != nil || !ok || !same(f, path) {
		_ = f.Close()
		return nil, err
	}
	l, err := a.hold(f, false, e)
	if err != nil {
		_ = f.Close()
	}
	return l, err
}

// tryShared is tryLock on the file that git-receive-pack holds open for us.
func (a App) tryShared(f *os.File, e queue.Entry) (*Lock, error) {
	if ok, err := tryFlock(f); err != nil || !ok {
		return nil, err
	}
	if !same(f, a.Path(lockFile)) { // git writes into a directory that is no app's any more
		return nil, &DestroyedError{App: a.Name}
	}
	return a.hold(f, true, e)
}

// hold writes down who holds the lock: the token, and behind it what people want to know.
func (a App) hold(f *os.File, shared bool, e queue.Entry) (*Lock, error) {
	l := &Lock{file: f, shared: shared, token: a.Name + ":" + rand.Text()}
	st, err := f.Stat()
	if err == nil && st.Size() > 0 {
		l.dirty = true
		if err = f.Truncate(0); err == nil {
			keepSpace(f)
		}
	}
	if err == nil {
		_, err = f.WriteAt([]byte(l.token+"\n"+e.Line()), 0)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Holder tells who holds the lock; its Verb is "" when that is not written down, at its very end for one.
func (a App) Holder() queue.Entry {
	data, err := os.ReadFile(a.Path(lockFile))
	if err != nil {
		return queue.Entry{}
	}
	_, text, _ := strings.Cut(string(data), "\n")
	e, _ := queue.ParseEntry(text)
	return e
}

func lockError(a App, err error) error {
	var missing *NotFoundError
	var destroyed *DestroyedError
	if errors.As(err, &missing) || errors.As(err, &destroyed) {
		return err
	}
	return fmt.Errorf("cannot lock app %q: %w", a.Name, err)
}

// tryFlock takes the lock of an open file unless somebody has it. Library locks open the file themselves, which cannot be
// done for one that git-receive-pack holds open for us.
func tryFlock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return err == nil, err
}

// OpenLockFile opens the lock file so that a program started next inherits the descriptor, and returns its number.
func (a App) OpenLockFile() (int, error) {
	fd, err := unix.Open(a.Path(lockFile), unix.O_CREAT|unix.O_RDWR, 0o644) // no O_CLOEXEC: that is the purpose
	if err != nil {
		return 0, fmt.Errorf("cannot open the lock of app %q: %w", a.Name, err)
	}
	return fd, nil
}

// HeldByAncestor tells whether token, from LockTokenEnv, is the one that the holder of the lock wrote down.
func (a App) HeldByAncestor(token string) bool {
	if token == "" {
		return false
	}
	data, err := os.ReadFile(a.Path(lockFile))
	first, _, _ := strings.Cut(string(data), "\n")
	return err == nil && first == token
}

// Token is what hooks get in LockTokenEnv.
func (l *Lock) Token() string { return l.token }

// Dirty tells whether the holder before died while it held the lock: what it worked on may be half done.
func (l *Lock) Dirty() bool { return l.dirty }

// Unlock gives the lock back. One that git-receive-pack shares stays until that ends.
func (l *Lock) Unlock() {
	if l.file == nil {
		return
	}
	_ = l.file.Truncate(0)
	keepSpace(l.file)
	if !l.shared {
		_ = l.file.Close()
	}
}

// keepSpace has an empty lock file keep the space that the next holder's words take: on a full disk an app can still be
// locked, and so destroyed. Not every file system can do that.
func keepSpace(f *os.File) { _ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 1024) }

// isFile tells whether descriptor fd is the file at path. Only then it is ours to wrap: an os.File closes its descriptor
// when it is collected, and the number in the environment may be that of something else by now.
func isFile(fd int, path string) bool {
	var open, named unix.Stat_t
	if unix.Fstat(fd, &open) != nil || unix.Stat(path, &named) != nil {
		return false
	}
	return open.Dev == named.Dev && open.Ino == named.Ino
}

func same(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// LockPath takes an exclusive lock on a file of ours that is not an app's, such as nginx' configuration.
func LockPath(ctx context.Context, path string) (unlock func(), err error) {
	if err := record.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return lockPath(ctx, path)
}

// LockFile is LockPath for a file of the app, whose directory it does not make: the app may be destroyed meanwhile.
func (a App) LockFile(ctx context.Context, file string) (unlock func(), err error) {
	unlock, err = lockPath(ctx, a.Path(file))
	if errors.Is(err, os.ErrNotExist) {
		err = &NotFoundError{Name: a.Name}
	}
	return unlock, err
}

func lockPath(ctx context.Context, path string) (unlock func(), err error) {
	f, err := record.Open(path)
	if err == nil {
		if err = flock(ctx, f); err != nil {
			_ = f.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock %q: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// flock waits for the lock of an open file.
func flock(ctx context.Context, f *os.File) error {
	for {
		if ok, err := tryFlock(f); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
