// Package record is the one writer of records: a reader, and a machine that lost power, sees the old content or the
// new, never a part. What a function of it has done without an error lasts.
//
// Whatever core makes, renames or removes of its state goes through here, so this is also where tests have a disk fail
// (see [failpoint.IO]).
package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
)

// Write puts data in path with that mode: temporary file, fsync, rename, fsync of the directory.
func Write(path string, data []byte, mode fs.FileMode) error {
	return explain("write", path, write(path, data, mode))
}

func write(path string, data []byte, mode fs.FileMode) error {
	if err := failpoint.IO("create", path); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(mode))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if err := failpoint.IO("write", path); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	failpoint.Hit(failpoint.RecordWritten)
	for _, op := range []string{"fsync", "rename"} {
		if err := failpoint.IO(op, path); err != nil {
			return err
		}
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	failpoint.Hit(failpoint.RecordRenamed)
	return SyncDir(dir)
}

// WriteLine writes one line and its end to path, readable by all.
func WriteLine(path, line string) error { return Write(path, []byte(line+"\n"), 0o644) }

// Remove deletes path durably; that there is none is fine.
func Remove(path string) error { return explain("remove", path, remove(path, os.Remove)) }

// RemoveAll deletes path with all that is in it; that there is none is fine.
func RemoveAll(path string) error { return explain("remove", path, remove(path, os.RemoveAll)) }

func remove(path string, unlink func(string) error) error {
	if err := failpoint.IO("remove", path); err != nil {
		return err
	}
	if err := unlink(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Also where nothing was removed now: whoever removed it may have been killed before this.
	err := SyncDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Rename gives a file or directory another name, in the same directory or another one.
func Rename(from, to string) error {
	err := failpoint.IO("rename", from)
	if err == nil {
		err = os.Rename(from, to)
	}
	if err == nil {
		err = SyncDir(filepath.Dir(to))
	}
	if err == nil && filepath.Dir(from) != filepath.Dir(to) {
		err = SyncDir(filepath.Dir(from))
	}
	return explain("rename", from, err)
}

// Exchange has the directory from take the place of the directory to, beside it, in one moment; what was there, if
// anything, is called from then.
func Exchange(from, to string) error { return explain("replace", to, exchange(from, to)) }

func exchange(from, to string) error {
	if err := failpoint.IO("rename", from); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
	switch {
	case errors.Is(err, unix.ENOENT): // there is none yet
		err = os.Rename(from, to)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		err = exchangeByHand(from, to)
	}
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.RecordRenamed)
	return SyncDir(filepath.Dir(to))
}

// exchangeByHand is for file systems that cannot do it: for a moment nothing is called to, and what was is called
// [Between].
func exchangeByHand(from, to string) error {
	between := Between(to)
	err := os.Rename(to, between)
	if errors.Is(err, unix.ENOENT) {
		return os.Rename(from, to)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return errors.Join(err, os.Rename(between, to))
	}
	return os.Rename(between, from)
}

// Between is what the directory to is called while another takes its place, on a file system that cannot exchange two.
// When a crash has left it and there is no to, it is what was there.
func Between(to string) string {
	return filepath.Join(filepath.Dir(to), "."+filepath.Base(to)+".between")
}

// RenameNew is Rename to a name that nothing has. An error that [errors.Is] takes for [fs.ErrExist] says that there is
// something of that name.
func RenameNew(from, to string) error {
	err := failpoint.IO("rename", from)
	if err == nil {
		err = renameNew(from, to)
	}
	if err == nil {
		err = SyncDir(filepath.Dir(to))
	}
	return explain("rename", from, err)
}

func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// Not every file system can do that at one moment.
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// Mkdir makes a directory. An error that [errors.Is] takes for [fs.ErrExist] says that there is something of that name.
func Mkdir(path string, mode fs.FileMode) error { return explain("make", path, mkdir(path, mode)) }

func mkdir(path string, mode fs.FileMode) error {
	if err := failpoint.IO("mkdir", path); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil {
		return err
	}
	if err := SyncDir(filepath.Dir(path)); err != nil {
		_ = os.Remove(path) // what may not last is not left for others to build upon
		return err
	}
	return nil
}

// MkdirAll makes a directory and those above it, as far as they are not there.
func MkdirAll(path string, mode fs.FileMode) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return nil
	}
	if parent := filepath.Dir(path); parent != path {
		if err := MkdirAll(parent, mode); err != nil {
			return err
		}
	}
	err := mkdir(path, mode)
	if st, statErr := os.Stat(path); errors.Is(err, fs.ErrExist) && statErr == nil && st.IsDir() {
		return nil // somebody was faster
	}
	return explain("make", path, err)
}

// Symlink makes a link to target. An error that [errors.Is] takes for [fs.ErrExist] says that there is something of
// that name.
func Symlink(target, path string) error {
	err := failpoint.IO("symlink", path)
	if err == nil {
		err = os.Symlink(target, path)
	}
	if err == nil {
		err = SyncDir(filepath.Dir(path))
	}
	return explain("link", path, err)
}

// Open opens a file that is there to be locked, and makes it when there is none.
func Open(path string) (*os.File, error) {
	if err := failpoint.IO("open", path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	return f, reason(err)
}

// SyncDir makes what was renamed, made or removed in dir last.
func SyncDir(dir string) error {
	if err := failpoint.IO("fsync-dir", dir); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// explain says what could not be done to path, and why in the system's words alone: the name of a temporary file would
// tell nobody anything.
func explain(verb, path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot %s %q: %w", verb, path, reason(err))
}

// reason takes the operation and the path off an error of the system.
func reason(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
