// Package workdir makes the directories in which sources are unpacked and built, and removes those whose makers were
// killed. A lock that dies with its holder tells which are in use.
package workdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is a directory in use.
type Dir struct {
	Path string
	lock *os.File
}

// Make makes a directory for work on name, an app or a verb, and removes those of that name that nobody uses any more.
func Make(name string) (*Dir, error) {
	Sweep(name)
	for range 3 {
		path, err := os.MkdirTemp("", prefix(name))
		if err != nil {
			return nil, fmt.Errorf("cannot make a work directory: %w", err)
		}
		lock, err := lockDir(path)
		if err == nil {
			return &Dir{path, lock}, nil
		}
		// Somebody who swept has found it before it was locked.
	}
	return nil, fmt.Errorf("cannot make a work directory for %q in %s: it is taken away", name, os.TempDir())
}

// Remove removes it with all that is in it.
func (d *Dir) Remove() error { return errors.Join(os.RemoveAll(d.Path), d.lock.Close()) }

// Sweep removes the directories for work on name that nobody uses. It is done along the way, so what cannot be removed
// stays for the next time.
func Sweep(name string) {
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		return
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), prefix(name))
		if !ok || number == "" || !e.IsDir() || strings.Trim(number, "0123456789") != "" { // of another name that begins so
			continue
		}
		path := filepath.Join(os.TempDir(), e.Name())
		if lock, err := lockDir(path); err == nil {
			_ = os.RemoveAll(path)
			_ = lock.Close()
		}
	}
}

func prefix(name string) string { return "dokku-" + name + "-" }

// lockDir locks a directory of ours unless somebody else has; no link is followed.
func lockDir(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && int(st.Uid) != os.Geteuid() {
		err = unix.EPERM
	}
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		_, err = os.Lstat(path) // it may have been removed until then
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
