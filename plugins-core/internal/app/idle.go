package app

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Idle tells whether nobody holds the app's lock. mark is another one when somebody has held it meanwhile, so that who
// looks at an app without its lock knows whether it stood still.
func (a App) Idle() (mark string, idle bool) {
	f, err := os.Open(a.Path(lockFile))
	if errors.Is(err, os.ErrNotExist) {
		return "never locked", true
	}
	if err != nil {
		return err.Error(), true // that it cannot be locked is for others to tell
	}
	defer f.Close()
	if errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return "", false
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err.Error(), true
	}
	// Who takes the lock writes to the file, and so does who gives it back.
	return fmt.Sprintf("%d %d %d.%d", st.Ino, st.Size, st.Mtim.Sec, st.Mtim.Nsec), true
}
