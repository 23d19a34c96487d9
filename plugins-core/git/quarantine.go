package git

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
)

// enterQuarantine removes the objects of pushes that are over, and has this process, git that it becomes and what git
// starts stand for one that is not, by a shared lock of the directory of objects. git removes the objects of a push that
// is refused, but not of one whose pusher has gone: the broken pipe kills it first.
func enterQuarantine(a app.App) error {
	_, err := deploy.LockQuarantine(a)
	return err
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
