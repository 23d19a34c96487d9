package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
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

// Lock is a held lock of an app; it dies with its holder.
type Lock struct {
	file   *os.File // nil: an ancestor holds the lock
	shared bool     // the open file is git-receive-pack's too
	token  string
	dirty  bool // the holder before died while it held it
}

// Lock takes the app's lock. While another holds it, waiting is called once and Lock waits until ctx ends. env tells
// whether an ancestor of this process holds it (then nothing is taken) or left a descriptor for it.
func (a App) Lock(ctx context.Context, env func(string) string, waiting func()) (*Lock, error) {
	if token := env(LockTokenEnv); a.HeldByAncestor(token) {
		return &Lock{token: token}, nil
	}
	path := a.Path(lockFile)
	if fd, err := strconv.Atoi(env(LockFDEnv)); err == nil && fd > 2 && isFile(fd, path) {
		unix.CloseOnExec(fd)
		return a.lockFile(ctx, os.NewFile(uintptr(fd), path), true, waiting)
	}
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if errors.Is(err, os.ErrNotExist) {
			return nil, &NotFoundError{Name: a.Name}
		}
		if err != nil {
			return nil, fmt.Errorf("cannot lock app %q: %w", a.Name, err)
		}
		l, err := a.lockFile(ctx, f, false, waiting)
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		// Destroying an app removes the file; a lock on a removed file locks nothing.
		if same(f, path) {
			return l, nil
		}
		_ = f.Close()
	}
}

func (a App) lockFile(ctx context.Context, f *os.File, shared bool, waiting func()) (*Lock, error) {
	if err := flock(ctx, f, waiting); err != nil {
		return nil, fmt.Errorf("cannot lock app %q: %w", a.Name, err)
	}
	l := &Lock{file: f, shared: shared, token: a.Name + ":" + rand.Text()}
	st, err := f.Stat()
	if err == nil {
		l.dirty = st.Size() > 0
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(l.token), 0)
	}
	return l, err
}

// flock takes the lock of an open file. Library locks open the file themselves, which cannot be done for one that
// git-receive-pack holds open for us.
func flock(ctx context.Context, f *os.File, waiting func()) error {
	for told := false; ; told = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || (!errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR)) {
			return err
		}
		if !told {
			waiting()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
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
	return err == nil && string(data) == token
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
	if !l.shared {
		_ = l.file.Close()
	}
}

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
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err == nil {
		if err = flock(ctx, f, func() {}); err != nil {
			_ = f.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock %q: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
