package deploy

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// reserved is how much of the disk a deploy takes up for going back: the state files and nginx' configuration of the
// version before have to be written even when the new ones have filled the disk.
const reserved = 128 << 10

// reserves are the files that take up the space: one beside the app's records, and one where the data of plugins lie,
// the directory above which is root's.
func reserves(s settings.Settings, a app.App) (own, data string) {
	return a.Path(app.ReserveFile), s.Data(app.ReserveFile + "." + a.Name)
}

// reserve takes up the space, or refuses a deploy that could not go back. The second file is only needed where the data
// of plugins lie on another file system.
func reserve(s settings.Settings, a app.App) error {
	own, data := reserves(s, a)
	files := []string{own}
	var root, lib syscall.Stat_t
	if syscall.Stat(a.Dir(), &root) == nil && syscall.Stat(filepath.Dir(data), &lib) == nil && root.Dev != lib.Dev {
		files = append(files, data)
	}
	for _, file := range files {
		if err := record.Reserve(file, reserved); err != nil {
			return errors.Join(fmt.Errorf("cannot deploy %q: there has to be space for going back: %w", a.Name, err), Unreserve(s, a))
		}
	}
	return nil
}

// Unreserve gives the space free that a deploy has taken up, also one that was killed.
func Unreserve(s settings.Settings, a app.App) error {
	own, data := reserves(s, a)
	return errors.Join(record.Unreserve(own), record.Unreserve(data))
}
