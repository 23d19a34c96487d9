package deploy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

// LockQuarantine opens the app's directory of objects, with a shared lock that stands for a push as long as the
// descriptor is open, in this process or one that got it. It removes the objects of pushes that are over first.
func LockQuarantine(a app.App) (fd int, err error) {
	fd, err = openObjects(a, 0) // without O_CLOEXEC: that is the purpose
	if err == nil {
		err = errors.Join(sweepObjects(a, fd), unix.Flock(fd, unix.LOCK_SH))
	}
	if err != nil {
		return fd, fmt.Errorf("cannot remove what earlier pushes to %q have left: %w", a.Name, err)
	}
	return fd, nil
}

// SweepQuarantine removes the objects that git has received for pushes and was killed with, unless one goes on.
func SweepQuarantine(a app.App) error {
	fd, err := openObjects(a, unix.O_CLOEXEC)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nobody has pushed to it
	}
	if err != nil {
		return fmt.Errorf("cannot remove what earlier pushes to %q have left: %w", a.Name, err)
	}
	return errors.Join(sweepObjects(a, fd), unix.Close(fd))
}

// Quarantine makes a directory for objects of a source that is not in service yet, beside the others and not one of them,
// as git does for a push. release removes it, and with it what [SweepQuarantine] would remove if we were killed.
func Quarantine(a app.App) (dir string, release func() error, err error) {
	fail := func(err error) (string, func() error, error) {
		return "", nil, fmt.Errorf("cannot make place for the objects of %q: %w", a.Name, err)
	}
	fd, err := openObjects(a, unix.O_CLOEXEC)
	if err != nil {
		return fail(err)
	}
	err = errors.Join(sweepObjects(a, fd), unix.Flock(fd, unix.LOCK_SH))
	if err == nil {
		dir, err = os.MkdirTemp(a.Path("objects"), "tmp_objdir-incoming-")
	}
	if err != nil {
		return fail(errors.Join(err, unix.Close(fd)))
	}
	return dir, func() error { return errors.Join(os.RemoveAll(dir), unix.Close(fd)) }, nil
}

func openObjects(a app.App, flags int) (int, error) {
	return unix.Open(a.Path("objects"), unix.O_RDONLY|unix.O_DIRECTORY|flags, 0)
}

// sweepObjects does nothing while somebody else has a lock: the next one removes them.
func sweepObjects(a app.App, fd int) (err error) {
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	found, _ := filepath.Glob(a.Path("objects/*incoming-*")) // neither name nor pattern has brackets
	for _, dir := range found {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
