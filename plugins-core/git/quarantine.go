package git

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

// enterQuarantine removes the objects of pushes that are over, and has this process, git that it becomes and what git
// starts stand for one that is not, by a shared lock of the directory of objects. git removes the objects of a push that
// is refused, but not of one whose pusher has gone: the broken pipe kills it first.
func enterQuarantine(a app.App) error {
	fd, err := unix.Open(a.Path("objects"), unix.O_RDONLY|unix.O_DIRECTORY, 0) // without O_CLOEXEC: that is the purpose
	if err != nil {
		return fmt.Errorf("cannot serve %q: %w", a.Name, err)
	}
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil { // else somebody pushes, and the next one removes them
		found, _ := filepath.Glob(a.Path("objects/*incoming-*")) // neither name nor pattern has brackets
		for _, dir := range found {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	if lockErr := unix.Flock(fd, unix.LOCK_SH); lockErr != nil {
		err = errors.Join(err, lockErr)
	}
	if err != nil {
		return fmt.Errorf("cannot remove what earlier pushes to %q have left: %w", a.Name, err)
	}
	return nil
}

// keepQuarantine keeps what the hook starts from standing for the push: some of it outlives that.
func keepQuarantine(a app.App) {
	entries, _ := os.ReadDir("/proc/self/fd") // without it the next push removes nothing, that is all
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if to, linkErr := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && linkErr == nil && to == a.Path("objects") {
			unix.CloseOnExec(fd)
		}
	}
}
