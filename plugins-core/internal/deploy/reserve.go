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

// reserves are the files that take up the space. There is one more where the data of plugins lie on another file system.
func reserves(s settings.Settings, a app.App) []string {
	files := []string{a.Path(app.ReserveFile)}
	var root, lib syscall.Stat_t
	if syscall.Stat(a.Dir(), &root) == nil && syscall.Stat(s.LibRoot(), &lib) == nil && root.Dev != lib.Dev {
		files = append(files, filepath.Join(s.LibRoot(), app.ReserveFile+"."+a.Name))
	}
	return files
}

// reserve takes up the space, or refuses a deploy that could not go back.
func reserve(s settings.Settings, a app.App) error {
	for _, file := range reserves(s, a) {
		if err := record.Reserve(file, reserved); err != nil {
			return errors.Join(fmt.Errorf("cannot deploy %q: there has to be space for going back: %w", a.Name, err), unreserve(s, a))
		}
	}
	return nil
}

// unreserve gives the space free.
func unreserve(s settings.Settings, a app.App) error {
	var errs []error
	for _, file := range reserves(s, a) {
		errs = append(errs, record.Unreserve(file))
	}
	return errors.Join(errs...)
}
