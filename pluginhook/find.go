package pluginhook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Hook is one hook file found in a plugin directory.
type Hook struct {
	Plugin string // base name of the plugin directory
	Name   string // hook name
	Dir    string // plugin directory
	Path   string // Dir + "/" + Name: argv[0] of the hook, links not resolved
}

// Find lists the files that implement hook under path, in the order in which they run: the byte order of the plugins'
// names. A plugin is a directory in path, or a link to one, except for those whose name begins with a dot, and for
// "available" and "enabled", which hold plugins in a tree that other runners use as well. A file counts whether or not
// it can be executed; that is told when its turn comes. A path that does not exist holds no plugins.
//
// A plugin directory that we may not enter (lost+found, say) has no hooks for us.
func Find(path, hook string) ([]Hook, error) {
	if path == "" {
		return nil, ErrNoPath
	}
	if hook == "" || hook == "." || hook == ".." || strings.ContainsAny(hook, "/\x00") {
		return nil, fmt.Errorf("cannot run hook %q: a hook is named by a file name", hook)
	}
	entries, err := os.ReadDir(path) // sorted by name, as bytes
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("cannot read plugin directory %q: %w", path, errors.Unwrap(err))
	}
	var hooks []Hook
	prefix := prefix(path)
	for _, e := range entries {
		name := e.Name()
		if name[0] == '.' || name == "available" || name == "enabled" || e.Type()&(fs.ModeDir|fs.ModeSymlink) == 0 {
			continue
		}
		dir := prefix + name
		file := dir + "/" + hook
		// A link that leads nowhere is a hook too, a broken one: hence no Stat.
		if _, err := os.Lstat(file); err != nil {
			continue
		}
		hooks = append(hooks, Hook{Plugin: name, Name: hook, Dir: dir, Path: file})
	}
	return hooks, nil
}

// prefix is what to put before a plugin's name. Relative paths stay relative, since hooks see them as their $0.
func prefix(path string) string {
	switch path = filepath.Clean(path); path {
	case ".":
		return ""
	case "/":
		return "/"
	}
	return path + "/"
}

// Check tells whether the hook can be started, as far as can be seen without trying. The error is the [*ExitError]
// that its run would end with.
func (h Hook) Check() error { return check(h.Path) }
