package record

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
)

// Reserve has path take up size bytes of the disk, for records that have to be written when it is full: who removes the
// file has the space for them. The file is no record itself; one that is there already is made anew.
func Reserve(path string, size int64) error {
	return explain("reserve space in", path, reserve(path, size))
}

func reserve(path string, size int64) error {
	if err := failpoint.IO("reserve", path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) { // what is written takes up space everywhere
		_, err = f.Write(make([]byte, size))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, Unreserve(path))
	}
	return nil
}

// Unreserve gives the space of a reserve free; that there is none is fine. It need not last: one that comes back is
// removed by the next who comes along.
func Unreserve(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("remove", path, err)
	}
	return nil
}
