package nginxvhosts

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// readyDir has a file for each app whose containers were brought up since the boot; without it nginx shows the app's
// error page. After a power cut an engine may lead the port of a container that it does not start to the address of
// another app's. Where there is no such directory, nginx does without.
func readyDir(s settings.Settings) string { return filepath.Join(s.RunRoot(), "ready") }

func (s *site) readyFile() string { return filepath.Join(readyDir(s.s), s.app.Name) }

// guarded tells whether the app's configuration asks for the file.
func (s *site) guarded() bool { return isDir(readyDir(s.s)) }

// markReady comes after the switch: what answers now is the app.
func (s *site) markReady() error {
	if !s.guarded() || exists(s.readyFile()) {
		return nil
	}
	return record.WriteLine(s.readyFile(), s.app.Name)
}

// makeReadyDir makes the directory of a real host for the system user; at a boot the unit that brings the apps up does.
func makeReadyDir(s settings.Settings) error {
	dir := readyDir(s)
	if !isDir(filepath.Dir(s.RunRoot())) { // not every root has a /run
		return nil
	}
	if err := record.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	u, err := user.Lookup(s.User())
	if err != nil {
		return err
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return errors.Join(err1, err2, os.Chown(s.RunRoot(), uid, gid), os.Chown(dir, uid, gid))
}
