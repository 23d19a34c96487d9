package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// checkSpace refuses a build where the disk is nearly full: it would fail after minutes, and take the last of the space
// from the apps that serve. The engine's own directory is not looked at, since it may be on another host.
func checkSpace(c *plug.C, a app.App) error {
	least, err := c.Settings().Int(settings.MinFree, 100)
	if err != nil || least == 0 {
		return err
	}
	for _, dir := range []string{c.Settings().Root(), c.Settings().LibRoot(), os.TempDir()} {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot build %q: cannot tell how much is free in %s: %w", a.Name, dir, err)
		}
		if err := judgeSpace(&st, least, dir); err != nil {
			return fmt.Errorf("cannot build %q: %w; free some, e.g. with: dokku cleanup", a.Name, err)
		}
	}
	return nil
}

// judgeSpace tells what a file system has too little of. One that makes its inodes as it needs them says that it has
// none at all.
func judgeSpace(st *unix.Statfs_t, least int, dir string) error {
	if free := st.Bavail * uint64(st.Bsize) / 1e6; free < uint64(least) {
		return fmt.Errorf("only %d MB are free in %s, of %d that a build needs at least (%s)", free, dir, least, settings.MinFree)
	}
	if st.Files > 0 && st.Ffree == 0 {
		return fmt.Errorf("no more files can be made in %s, it has no inodes left", dir)
	}
	return nil
}
