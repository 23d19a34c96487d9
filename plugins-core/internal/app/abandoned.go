package app

import (
	"os"

	"golang.org/x/sys/unix"
)

// Abandoned tells whether the last holder of the app's lock died while it held it: who ends in order leaves the lock
// file empty. It takes a look at one small file when all is well.
func (a App) Abandoned() bool {
	f, err := os.Open(a.Path(lockFile))
	if err != nil {
		return false
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return false
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false // it is held
	}
	// It may have been given back between the two looks.
	st, err = f.Stat()
	return err == nil && st.Size() > 0
}
