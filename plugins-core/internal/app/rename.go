package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// RenamingFile is the state file of an app that gets another name: "FROM TO". It is written before the directory is
// renamed, which is the moment of it all: found in FROM, nothing has happened yet; found in TO, the rest follows. A third
// word says that all has followed but the proxy, which goes on by what is called as the app was before.
const RenamingFile = ".renaming"

const unserved = "unserved"

// Renaming reads the names of an app that gets another one; "" when it does not.
func (a App) Renaming() (from, to string) {
	words := strings.Fields(a.State(RenamingFile))
	if len(words) < 2 {
		return "", ""
	}
	return words[0], words[1]
}

// Unserved tells whether all has followed the app to its new name but the proxy.
func (a App) Unserved() bool {
	words := strings.Fields(a.State(RenamingFile))
	return len(words) == 3 && words[2] == unserved
}

// SetUnserved writes that down.
func (a App) SetUnserved() error {
	from, to := a.Renaming()
	return a.SetState(RenamingFile, from+" "+to+" "+unserved)
}

// Rename gives the app's directory, and with it the app, the name of b, which has to be free. Whoever holds the app's
// lock holds it under the new name.
func (a App) Rename(b App) error {
	if err := b.reserved(); err != nil {
		return err
	}
	err := record.RenameNew(a.Dir(), b.Dir())
	if errors.Is(err, fs.ErrExist) {
		return &TakenError{Name: b.Name}
	}
	return err
}

// Repoint has what nginx reads of an app that has got another name lead to the directory as it is called now, until the
// proxy writes it anew. It is for whoever holds nginx' lock.
func (a App) Repoint() error {
	from, to := a.Renaming()
	if to != a.Name {
		return nil
	}
	file := a.Path("nginx.conf")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now := bytes.ReplaceAll(text, []byte(filepath.Join(a.Root, from)+"/"), []byte(a.Dir()+"/"))
	if bytes.Equal(now, text) {
		return nil
	}
	return record.Write(file, now, 0o644)
}

// reserved is the error for a name that an app has had until a moment ago: what is kept under it is about to follow.
func (a App) reserved() error {
	name, err := a.Successor()
	if err != nil || name == "" {
		return err
	}
	return fmt.Errorf("cannot use the name %q yet: its app is being renamed to %s; if nobody does that any more: dokku recover %s", a.Name, name, name)
}

// Successor is the name that an app of that name is just getting; "" when there is none.
func (a App) Successor() (string, error) {
	names, err := List(a.Root)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if from, to := (App{Name: name, Root: a.Root}).Renaming(); from == a.Name && to == name {
			return name, nil
		}
	}
	return "", nil
}
