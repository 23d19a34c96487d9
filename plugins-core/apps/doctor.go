package apps

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// diagnose looks at the directories of the apps: what is kept there can be read, by nobody else, and nobody has died at
// work.
func diagnose(_ context.Context, c *plug.C, d *plug.Diagnosis) {
	s := c.Settings()
	d.EachApp(c, func(a app.App, d *plug.Diagnosis) {
		unfinishedWork(a, d)
		readable(s, a, d)
		secrets(d, a.Name, append(releaseFiles(a), a.Path("ENV"))...)
		leftovers(d, a.Name, "dokku recover "+a.Name, append(recordDirs(a), properties(s, a.Name)...)...)
	})
	if c.Arg(0) != "" {
		a := app.App{Name: c.Arg(0), Root: s.Root()}
		if _, idle := a.Idle(); !idle {
			d.Note("locks", a.Name, "somebody works on it, so it is not looked at")
		}
		return
	}
	busy(s.Root(), d)
	graves(s.Root(), d)
	if _, err := envfile.Read(filepath.Join(s.Root(), "ENV")); err != nil {
		d.Violation("records", "", "correct the file by hand", "the variables of all apps: %v", err)
	}
	secrets(d, "", filepath.Join(s.Root(), "ENV"))
	dirs, _ := filepath.Glob(s.LibRoot() + "/data/*")
	below, _ := filepath.Glob(s.LibRoot() + "/data/*/*")
	global, _ := filepath.Glob(s.LibRoot() + "/config/*/" + property.Global)
	leftovers(d, "", "dokku recover", append(append(dirs, below...), global...)...)
}

// busy notes which apps somebody works on.
func busy(root string, d *plug.Diagnosis) {
	names, err := app.List(root)
	if err != nil {
		d.Violation("records", "", "see that the directory is there and that this user may read it", "%v", err)
	}
	for _, name := range names {
		a := app.App{Name: name, Root: root}
		if _, idle := a.Idle(); !idle && a.Exists() {
			d.Note("locks", name, "somebody works on it, so it is not looked at")
		}
	}
}

// unfinishedWork finds what whoever held the lock last has not brought to its end.
func unfinishedWork(a app.App, d *plug.Diagnosis) {
	do := "dokku recover " + a.Name
	if f, err := os.OpenFile(a.Path(".build.lock"), os.O_RDWR, 0); err == nil {
		_ = f.Close()
	} else if !os.IsNotExist(err) {
		d.Violation("locks", a.Name, "see that it is a file of dokku's user", "its lock cannot be taken: %v", err)
	}
	unfinished, err := release.Unfinished(a)
	switch {
	case err != nil: // readable tells
	case unfinished != nil:
		d.Violation("locks", a.Name, do, "release %s is %s and nobody works on it", unfinished.Name(), unfinished.Outcome)
	case a.State(app.DestroyingFile) != "":
		d.Violation("locks", a.Name, do, "its destruction has begun and was not carried through")
	case a.State(app.RenamingFile) != "":
		d.Violation("locks", a.Name, do, "its renaming has begun and was not carried through")
	case a.Abandoned():
		d.Violation("locks", a.Name, do, "who held its lock last has died at work")
	}
}

// readable reads all records.
func readable(s settings.Settings, a app.App, d *plug.Diagnosis) {
	if _, err := release.List(a); err != nil {
		d.Violation("records", a.Name, "correct the file by hand, or remove it if it is older than the current release: "+a.Path("releases"), "%v", err)
	}
	again := ""
	if current, err := release.Current(a); err == nil && current != nil {
		again = fmt.Sprintf(", or go back to what release %s had: dokku rollback %s %s", current.Name(), a.Name, current.Name())
	}
	if _, err := a.Env(); err != nil {
		d.Violation("records", a.Name, "correct the file by hand"+again, "%v", err)
	}
	if _, err := scale.Read(a); err != nil {
		d.Violation("records", a.Name, "correct the file by hand"+again, "%v", err)
	}
	for _, dir := range properties(s, a.Name) {
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			if err == nil && e.Type().IsRegular() {
				_, err = os.ReadFile(filepath.Join(dir, e.Name()))
			}
		}
		if err != nil && !os.IsNotExist(err) {
			d.Violation("records", a.Name, "see that this user may read it", "a property cannot be read: %v", err)
		}
	}
}

// properties are the directories of the properties of the app of that name.
func properties(s settings.Settings, name string) []string {
	dirs, _ := filepath.Glob(s.LibRoot() + "/config/*/" + name) // an app's name is no pattern
	return dirs
}

// recordDirs are the directories of an app in which there are records.
func recordDirs(a app.App) []string { return []string{a.Dir(), a.Path("releases")} }

func releaseFiles(a app.App) []string {
	files, _ := fs.Glob(os.DirFS(a.Dir()), "releases/*.json")
	for i, file := range files {
		files[i] = a.Path(file)
	}
	return files
}

// secrets finds files that others than their owner may read.
func secrets(d *plug.Diagnosis, name string, files ...string) {
	for _, file := range files {
		if st, err := os.Stat(file); err == nil && st.Mode().Perm()&0o077 != 0 {
			d.Violation("secrets", name, "chmod 600 "+file, "%s has mode %04o: others than its owner may use it", file, st.Mode().Perm())
		}
	}
}

// leftovers finds temporary files of writers that were killed.
func leftovers(d *plug.Diagnosis, name, do string, dirs ...string) {
	for _, file := range record.Leftovers(dirs...) {
		d.Violation("leftovers", name, do, "%s is what a killed write has left", file)
	}
}

// graves finds what is left of apps that were destroyed.
func graves(root string, d *plug.Diagnosis) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return // busy has said so
	}
	for _, e := range entries {
		if name, ok := app.DraftOf(e.Name()); ok {
			draft := app.App{Name: name, Root: root}.Draft()
			if _, idle := draft.Idle(); idle && stays(draft.Dir()) {
				d.Violation("leftovers", name, "dokku recover", "%s is what is left of a copy that nobody makes any more", draft.Dir())
			}
		}
		name, ok := strings.CutPrefix(e.Name(), ".destroyed-")
		if ok && stays(filepath.Join(root, e.Name())) && !(app.App{Name: name, Root: root}).Exists() && !stillGoing(root, name) {
			d.Violation("leftovers", name, "dokku apps:destroy --force "+name, "the app is destroyed, and not all of it is gone: %s", filepath.Join(root, e.Name()))
		}
	}
}

// stays tells whether a directory is there after a second: removing it takes somebody less.
func stays(dir string) bool {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err := os.Lstat(dir); err != nil {
			return false
		}
	}
	return true
}

// stillGoing tells whether somebody holds the lock that was the destroyed app's.
func stillGoing(root, name string) bool {
	_, idle := app.App{Name: ".destroyed-" + name, Root: root}.Idle()
	return !idle
}
