package sshcmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

const (
	sshDir   = ".ssh"
	keysName = "authorized_keys"
	lockName = ".authorized_keys.lock"
	lockWait = time.Minute // an edit takes milliseconds; whoever holds the lock longer is stuck
)

// readKeys returns the authorized_keys file of a. It needs no lock, because the file is only ever replaced as a whole.
func readKeys(a account) (*authkeys.File, error) {
	path := filepath.Join(a.home, sshDir, keysName)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := regular(info); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return authkeys.Parse(data), nil
}

// regular refuses what could keep a reader waiting or give it no end, such as a pipe or a device.
func regular(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", info.Name())
	}
	return nil
}

// editKeys lets edit change the authorized_keys file of a and writes it back if edit says that it did. There is one
// edit at a time, and a reader sees the file as it was before or as it is after, at any moment and whatever breaks.
func (t *tool) editKeys(a account, edit func(*authkeys.File) (changed bool, err error)) error {
	home, err := openHome(a)
	if err != nil {
		return err
	}
	defer home.Close()
	dir, name, err := home.keysDir()
	if err != nil {
		return err
	}
	defer dir.Close()
	lock, err := t.lock(a, dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	removeStale(dir, name)

	var data []byte
	info, err := dir.Lstat(name)
	if err == nil {
		if err = regular(info); err == nil {
			data, err = dir.ReadFile(name)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the keys of %q: %w", a.name, err)
	}
	file := authkeys.Parse(data)
	changed, err := edit(file)
	if err != nil || !changed {
		return err
	}
	t.tracef("write %s", filepath.Join(dir.Name(), name))
	if err := replaceFile(dir, name, file.Bytes(), a); err != nil {
		return fmt.Errorf("cannot write the keys of %q: %w", a.name, err)
	}
	return nil
}

// lock takes the lock that all edits of the file in dir share. It is a file of its own, because authorized_keys is
// another file after every edit. It belongs to the user, who may edit the keys without being root.
func (t *tool) lock(a account, dir *os.Root) (*flock.Flock, error) {
	path := filepath.Join(dir.Name(), lockName)
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NOFOLLOW), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	ok, err := l.TryLockContext(ctx, 5*time.Millisecond)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("cannot lock %q: held by another process for %v", path, lockWait)
	}
	if err != nil || !ok {
		return nil, fmt.Errorf("cannot lock %q: %v", path, err)
	}
	if os.Geteuid() == 0 {
		if err := dir.Lchown(lockName, a.uid, a.gid); err != nil {
			l.Close()
			return nil, fmt.Errorf("cannot give away %q: %v", path, err)
		}
	}
	return l, nil
}

// removeStale removes what a process that was killed in an edit has left. The lock is held, so nobody needs it.
func removeStale(dir *os.Root, name string) {
	d, err := dir.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, n := range names {
		number, ok := strings.CutPrefix(n, "."+name)
		if ok && number != "" && strings.Trim(number, "0123456789") == "" {
			dir.Remove(n)
		}
	}
}

// replaceFile makes data the content of dir/name in one step that survives a power failure. An existing file keeps
// owner and mode; a new one belongs to a and is private.
func replaceFile(dir *os.Root, name string, data []byte, a account) error {
	mode, uid, gid := fs.FileMode(0o600), a.uid, a.gid
	if info, err := dir.Stat(name); err == nil {
		stat := info.Sys().(*syscall.Stat_t)
		mode, uid, gid = info.Mode().Perm(), int(stat.Uid), int(stat.Gid)
	}
	f, err := renameio.NewPendingFile(name, renameio.WithRoot(dir), renameio.WithStaticPermissions(mode))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := f.Chown(uid, gid); err != nil {
			return err
		}
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename in dir durable.
func syncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
