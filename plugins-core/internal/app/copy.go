package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// Draft is the place in which a copy is made that is to become the app: whatever happens to the copying, no half of it
// is ever taken for an app.
func (a App) Draft() App { return App{Name: ".cloning-" + a.Name, Root: a.Root} }

// DraftOf returns the name of the app that the entry of DOKKU_ROOT is a draft of.
func DraftOf(entry string) (name string, ok bool) { return strings.CutPrefix(entry, ".cloning-") }

// CopyTo copies to b, whose directory is there, what makes the app that it is: its repository and its settings. What is
// about its containers, its releases and those who work on it stays behind, and so do its host names.
func (a App) CopyTo(b App) error {
	root, err := filepath.EvalSymlinks(a.Dir()) // it may be a link to a larger disk
	if err != nil {
		return err
	}
	var objects []string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || rel == "." {
			return err
		}
		if staysBehind(rel) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() && strings.HasPrefix(rel+"/", "objects/") {
			objects = append(objects, b.Path(rel))
		}
		return copyEntry(path, b.Path(rel), d, strings.HasPrefix(rel, "objects/"))
	})
	if err != nil {
		return err
	}
	for _, dir := range objects {
		if err := record.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// staysBehind tells whether a file of an app, by its path in the directory, is of no use to a copy.
func staysBehind(rel string) bool {
	first, rest, nested := strings.Cut(rel, "/")
	switch {
	case first == "objects":
		name := filepath.Base(rel)
		return strings.HasPrefix(name, "incoming-") || strings.HasPrefix(name, "tmp_")
	case first == "refs":
		return strings.HasSuffix(rel, ".lock")
	case first == "hooks":
		return rest == "pre-receive"
	case nested:
		return false
	case strings.HasPrefix(first, "."), slices.Contains([]string{"releases", "cache", "URL", "URLS", "VHOST", "nginx.conf", "nginx.conf.quarantined", "nginx.conf.trial"}, first):
		return true
	}
	kind, _, _ := strings.Cut(first, ".")
	return slices.Contains([]string{"CONTAINER", "IP", "PORT"}, kind)
}

// copyEntry copies one file, link or directory. Objects of git never change, so that a second name does for them.
func copyEntry(from, to string, d fs.DirEntry, object bool) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case d.IsDir():
		return record.Mkdir(to, info.Mode().Perm())
	case d.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return record.Symlink(target, to)
	case !d.Type().IsRegular():
		return nil
	case object && os.Link(from, to) == nil:
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return record.Write(to, data, info.Mode().Perm())
}
