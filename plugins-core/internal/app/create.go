package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// creatingFile marks an app that is not whole yet: whoever was making it may have been killed.
const creatingFile = ".creating"

// TakenError says that there is an app of that name, in the words scripts know.
type TakenError struct{ Name string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("Name is already taken: app %s exists", e.Name)
}

// Create makes the app's directory and has furnish put in it what belongs there. When that fails nothing is left of the
// app; one that somebody was killed in making is made to the end.
func (a App) Create(furnish func() error) error {
	fail := func(err error) error { return fmt.Errorf("cannot create app %q: %w", a.Name, err) }
	if err := record.Mkdir(a.Dir(), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fail(err)
	}
	// The directory itself is locked: a lock file would have to be made first, and nobody waits here.
	dir, err := os.Open(a.Dir())
	if err != nil {
		return fail(err)
	}
	defer dir.Close()
	if unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || !a.unfinished() {
		return &TakenError{Name: a.Name}
	}
	// Now that the name was free, nobody gives up the name behind our back.
	if err := a.reserved(); err != nil {
		return errors.Join(err, os.Remove(a.Dir()))
	}
	err = record.WriteLine(a.Path(creatingFile), "apps:create has not ended")
	if err == nil {
		err = furnish()
	}
	if err == nil {
		err = record.Remove(a.Path(creatingFile))
	}
	if err != nil {
		return errors.Join(err, a.bury())
	}
	return nil
}

// unfinished tells whether the app is marked so, or its directory has nothing in it but the beginnings of the mark.
func (a App) unfinished() bool {
	if _, err := os.Lstat(a.Path(creatingFile)); err == nil {
		return true
	}
	entries, err := os.ReadDir(a.Dir())
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), "."+creatingFile) })
}

// Grave is the name that the directory of an app gets before it is deleted, so that no half of it is ever taken for an
// app.
func (a App) Grave() string { return filepath.Join(a.Root, ".destroyed-"+a.Name) }

// bury deletes the directory of an app that came to nothing.
func (a App) bury() error {
	if err := record.RemoveAll(a.Grave()); err != nil { // of an earlier app of that name
		return err
	}
	if err := record.Rename(a.Dir(), a.Grave()); err != nil {
		return err
	}
	return record.RemoveAll(a.Grave())
}
