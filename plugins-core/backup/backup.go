// Package backup is the plugin that writes what apps and their host are set to into an archive, and reads it again
// (toolchain-2014, section 4.6): variables, host names, certificates, scales, options, checks, keys. Repositories and
// images are not in it; a push brings them back.
//
// The archive is a tar. `.dokku_backup_version` and `.dokku_backup_apps`, one app a line, stand at its root, everything
// else under its absolute path. Each plugin names its files, and reads them again, in hooks.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
	"github.com/dokku-go/dokku/plugins-core/internal/workdir"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// version is that of the format.
const version = "1"

const (
	versionFile = ".dokku_backup_version"
	appsFile    = ".dokku_backup_apps"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "backup",
		Description: "saves and restores settings of apps and host",
		Hooks: map[string]plug.Hook{
			"backup-export": exportHook,
			"backup-check":  checkHook,
			"backup-import": importHook,
		},
		Commands: []plug.Command{
			{Name: "backup:export", Args: "[FILE]", Help: "Write the settings of all apps and the host as a tar", Run: export},
			{Name: "backup:import", Args: "[-f] [FILE]", Help: "Restore what backup:export has written", Run: restore},
		},
	}
}

// restore unpacks the archive into a directory of its own, has the plugins check it, makes the apps, and has the plugins
// take what is theirs.
func restore(ctx context.Context, c *plug.C) error {
	force := false
	var words []string
	for _, arg := range c.Args {
		switch {
		case arg == "-f" || arg == "--force":
			force = true
		case arg != "-" && strings.HasPrefix(arg, "-"):
			return c.Usage("cannot import a backup: unknown option %q", arg)
		default:
			words = append(words, arg)
		}
	}
	if len(words) > 1 {
		return c.Usage("cannot import %d backups: name one file", len(words))
	}
	if err := c.Admin(ctx); err != nil {
		return err
	}
	in := c.Stdin
	if len(words) == 1 && words[0] != "-" {
		f, err := os.Open(words[0])
		if err != nil {
			return fmt.Errorf("cannot import the backup: %w", err)
		}
		defer f.Close()
		in = f
	}
	if in == nil {
		return c.Usage("cannot import a backup: name a file, or give the archive on stdin")
	}
	limits, err := unpack.LimitsOf(c.Settings())
	if err != nil {
		return err
	}
	tmp, err := workdir.Make("backup")
	if err != nil {
		return err
	}
	dir := filepath.Join(tmp.Path, "archive")
	if err = os.Mkdir(dir, 0o700); err == nil {
		err = unpack.Into(dir, in, limits)
	}
	if err != nil {
		err = fmt.Errorf("cannot unpack the backup: %w", err)
	} else {
		err = restoreFrom(ctx, c, dir, force)
	}
	return errors.Join(err, tmp.Remove())
}

func restoreFrom(ctx context.Context, c *plug.C, dir string, force bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("cannot read the backup: %w", err)
	}
	defer root.Close()
	got, err := root.ReadFile(versionFile)
	if err != nil {
		//lint:ignore ST1005 scripts know these texts
		return errors.New("Unable to determine backup version")
	}
	if v := strings.TrimSpace(string(got)); v != version {
		//lint:ignore ST1005 scripts know these texts
		return fmt.Errorf("Unknown format version %.40q", v)
	}
	fmt.Fprintf(c.Stdout, "Importing a version %s backup...\n", version)
	names, err := appNames(root)
	if err != nil {
		return err
	}
	args := []string{version, importRoot(root, dir, names, c.Settings().Root()), c.Settings().Root(), filepath.Join(dir, appsFile)}
	if err := c.Trigger(ctx, "backup-check", args...); err != nil {
		if !force {
			//lint:ignore ST1005 scripts know this text
			return errors.New("Archive did not pass sanity checks. Use -f to import anyway")
		}
		fmt.Fprintln(c.Stdout, "-f used. Ignoring warnings.")
	}
	for _, name := range names {
		if app.CheckName(name) != nil {
			c.Warn("cannot import app %q: it is no name for an app", name)
			continue
		}
		if a := (app.App{Name: name, Root: c.Settings().Root()}); !a.Exists() {
			if err := c.Trigger(ctx, "app-create", name); err != nil {
				return err
			}
		}
		fmt.Fprintf(c.Stdout, "Imported %s\n", name)
	}
	if err := c.Trigger(ctx, "backup-import", args...); err != nil {
		return err
	}
	fmt.Fprintln(c.Stdout, "Import complete.")
	return nil
}

// appNames reads the list of apps. The original lists every directory, so that what can be none is passed over.
func appNames(root *os.Root) ([]string, error) {
	text, err := root.ReadFile(appsFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the apps of the backup: %w", err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		name := strings.TrimSpace(line)
		if name != "" && name != "tls" && !strings.HasPrefix(name, ".") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// importRoot finds what was DOKKU_ROOT on the host of the backup, which need not be the same as here: the uppermost
// directory with a file that belongs there. The archive's links are not followed.
func importRoot(root *os.Root, dir string, names []string, here string) string {
	at := func(path string) bool {
		_, err := root.Lstat(path)
		return err == nil
	}
	same := strings.TrimPrefix(filepath.Clean(here), "/")
	if at(same) {
		return filepath.Join(dir, same)
	}
	for level := []string{"."}; len(level) > 0; {
		var below []string
		for _, path := range level {
			for _, file := range append([]string{".sshcommand", ".ssh/authorized_keys", "HOSTNAME", "VHOST"}, names...) {
				if filepath.IsLocal(file) && at(filepath.Join(path, file)) {
					return filepath.Join(dir, path)
				}
			}
			entries, _ := fs.ReadDir(root.FS(), path) // what cannot be read is not it
			for _, e := range entries {
				if e.IsDir() {
					below = append(below, filepath.Join(path, e.Name()))
				}
			}
		}
		level = below
	}
	return filepath.Join(dir, same)
}

// checkHook is what core knows to be wrong with an archive.
func checkHook(_ context.Context, c *plug.C) error {
	names, err := listed(c)
	if err != nil {
		return err
	}
	var wrong []error
	for _, name := range names {
		a := app.App{Name: name, Root: c.Settings().Root()}
		if err := app.CheckName(name); err != nil {
			wrong = append(wrong, err)
		} else if a.Exists() {
			//lint:ignore ST1005 scripts know this text
			wrong = append(wrong, fmt.Errorf("Trying to import application %s which already exists.", name))
		}
	}
	return errors.Join(wrong...)
}

// listed reads the apps in the file that the hook is given.
func listed(c *plug.C) ([]string, error) {
	if len(c.Args) != 4 {
		return nil, c.Usage("cannot import a backup: give the hook VERSION, IMPORTROOT, TARGET and APPSFILE")
	}
	root, err := os.OpenRoot(filepath.Dir(c.Args[3]))
	if err != nil {
		return nil, fmt.Errorf("cannot read the apps of the backup: %w", err)
	}
	defer root.Close()
	return appNames(root)
}
