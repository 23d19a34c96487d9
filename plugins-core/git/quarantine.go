package git

import (
	"context"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/plug"
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

// pack is core-prune, [APP]: when there are many files of objects, git makes few of them, in the background. After a push
// git does it itself; of what comes otherwise, each source is a pack of its own. Nothing is removed, whether a branch has it
// or not: a rollback may want it, and a push may be under way. That it does not succeed costs space, and fails nothing.
func pack(ctx context.Context, c *plug.C) error {
	if len(c.Args) == 0 {
		return nil
	}
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if _, err := os.Stat(a.Path("objects/pack")); err != nil {
		return nil
	}
	_, err = proc.Output(ctx, proc.Cmd{Env: append(env(c), "GIT_DIR="+a.Dir()), Args: []string{"git", "-c", "gc.autoDetach=true", "-c", "gc.pruneExpire=never",
		"-c", "gc.cruftPacks=true", "-c", "gc.packRefs=false", "-c", "core.fsync=all", "gc", "--auto", "--quiet"}})
	if err != nil {
		c.Warn("the repository of %s is not packed: %v", a.Name, err)
	}
	return nil
}
