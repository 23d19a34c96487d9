package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// installVerb fetches a plugin, enables it, and runs its hooks dependencies and install. One whose hooks fail is removed
// again. Without a source it runs the install hooks of all.
func installVerb(ctx context.Context, c *plug.C) error {
	source, committish, name, skip, err := installWords(c)
	if err != nil {
		return err
	}
	if err := needRoot(c); err != nil {
		return err
	}
	if source == "" {
		return install(ctx, c)
	}
	if name == "" {
		name = defaultName(source)
	}
	if err := checkName(name); err != nil {
		return err
	}
	if _, err := find(c, name); err == nil {
		return fmt.Errorf("cannot install plugin %q: there is one of this name; see plugin:update and plugin:uninstall", name)
	}
	path := c.Settings().PluginPath()
	available := filepath.Join(path, "available")
	if err := record.MkdirAll(available, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(available, ".new-")
	if err != nil {
		return fmt.Errorf("cannot install plugin %q: %w", name, err)
	}
	defer os.RemoveAll(tmp)
	c.Info1("Fetching plugin %s", name)
	if err := errors.Join(fetch(ctx, c, source, committish, tmp), os.Chmod(tmp, 0o755)); err != nil {
		return fmt.Errorf("cannot install plugin %q from %q: %w", name, source, err)
	}
	if err := record.Rename(tmp, filepath.Join(available, name)); err != nil {
		return err
	}
	if err := link(path, name); err != nil {
		return err
	}
	if !skip {
		for _, h := range []string{"dependencies", "install"} {
			if err := hook(ctx, c, filepath.Join(path, name), h); err != nil {
				return errors.Join(fmt.Errorf("cannot install plugin %q: its hook %s failed; it is removed again", name, h), err, remove(path, name))
			}
		}
	}
	if p, err := find(c, name); err == nil {
		for _, text := range p.Broken {
			c.Warn("%s", text)
		}
	}
	c.Info1("Plugin %s installed and enabled", name)
	return nil
}

func installWords(c *plug.C) (source, committish, name string, skip bool, err error) {
	words := c.Args
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		key, value, given := strings.Cut(word, "=")
		switch {
		case word == "--core":
		case word == "--skip-install-trigger":
			skip = true
		case key == "--committish" || key == "--name":
			if !given && len(words) == 0 {
				return "", "", "", false, c.Usage("cannot use %s: a word is missing behind it", key)
			}
			if !given {
				value, words = words[0], words[1:]
			}
			if key == "--name" {
				name = value
			} else {
				committish = value
			}
		case strings.HasPrefix(word, "-"):
			return "", "", "", false, c.Usage("cannot use option %q: it is unknown", word)
		case source != "" && name == "":
			name = word // as it was before there was an option for it, and as many a README still has it
		case source != "":
			return "", "", "", false, c.Usage("cannot use %q: too many words", word)
		default:
			source = word
		}
	}
	return source, committish, name, skip, nil
}

// link enables a plugin that is available: a link where hooks are looked for, and one where newer plugins look.
func link(path, name string) error {
	for _, l := range []struct{ target, link string }{
		{filepath.Join("..", "available", name), filepath.Join(path, "enabled", name)},
		{filepath.Join("available", name), filepath.Join(path, name)},
	} {
		if err := record.MkdirAll(filepath.Dir(l.link), 0o755); err != nil {
			return err
		}
		if _, err := os.Lstat(l.link); err == nil {
			continue
		}
		if err := record.Symlink(l.target, l.link); err != nil {
			return err
		}
	}
	return nil
}

// remove removes what is in the places of a plugin: links, and its directory.
func remove(path, name string) error {
	for _, place := range places(path, name) {
		if err := record.RemoveAll(place); err != nil {
			return err
		}
	}
	return nil
}

// named returns the plugin that the verb's only word names.
func named(c *plug.C) (*installed, error) {
	if len(c.Args) != 1 {
		return nil, c.Usage("cannot run %s: name one plugin", c.Verb())
	}
	if err := needRoot(c); err != nil {
		return nil, err
	}
	return find(c, c.Args[0])
}

func uninstallVerb(ctx context.Context, c *plug.C) error {
	p, err := named(c)
	if err != nil {
		return err
	}
	if p.Core {
		return fmt.Errorf("cannot uninstall plugin %q: it is core's; see plugin:disable", p.Name)
	}
	if err := c.Trigger(ctx, "uninstall", p.Name); err != nil {
		return err
	}
	if err := remove(c.Settings().PluginPath(), p.Name); err != nil {
		return err
	}
	c.Info1("Plugin %s uninstalled", p.Name)
	return nil
}

func enableVerb(_ context.Context, c *plug.C) error {
	p, err := named(c)
	if err != nil {
		return err
	}
	if err := link(c.Settings().PluginPath(), p.Name); err != nil {
		return err
	}
	c.Info1("Plugin %s enabled", p.Name)
	return nil
}

func disableVerb(_ context.Context, c *plug.C) error {
	p, err := named(c)
	if err != nil {
		return err
	}
	if p.Core && p.Name == "plugin" {
		return errors.New(`cannot disable plugin "plugin": nothing could enable it again`)
	}
	path := c.Settings().PluginPath()
	active, enabled, available := filepath.Join(path, p.Name), filepath.Join(path, "enabled", p.Name), filepath.Join(path, "available", p.Name)
	for _, place := range []string{enabled, active} {
		st, err := os.Lstat(place)
		switch {
		case err != nil:
		case st.Mode()&os.ModeSymlink != 0:
			target, _ := os.Readlink(place)
			if _, err := os.Stat(available); err != nil { // the only way to the plugin is kept
				if err := record.Symlink(absolute(place, target), available); err != nil {
					return err
				}
			}
			if err := record.Remove(place); err != nil {
				return err
			}
		default: // a directory that somebody put there
			if _, err := os.Lstat(available); err == nil {
				return fmt.Errorf("cannot disable plugin %q: both %s and %s are there; remove one", p.Name, place, available)
			}
			if err := record.MkdirAll(filepath.Dir(available), 0o755); err != nil {
				return err
			}
			if err := record.Rename(place, available); err != nil {
				return err
			}
		}
	}
	c.Info1("Plugin %s disabled", p.Name)
	return nil
}

// absolute is the target of a link, for use at another place.
func absolute(link, target string) string {
	if filepath.IsAbs(target) {
		return target
	}
	return filepath.Join(filepath.Dir(link), target)
}

// updateVerb brings one plugin, or all that are repositories on a branch, up to date, and runs their hook update.
func updateVerb(ctx context.Context, c *plug.C) error {
	if len(c.Args) > 2 {
		return c.Usage("cannot update plugins: too many words")
	}
	if err := needRoot(c); err != nil {
		return err
	}
	if len(c.Args) > 0 {
		p, err := find(c, c.Args[0])
		if err != nil {
			return err
		}
		return update(ctx, c, p, c.Arg(1))
	}
	plugins, err := all(c)
	if err != nil {
		return err
	}
	var failed error
	for _, p := range plugins {
		if _, err := os.Stat(filepath.Join(p.dir, ".git")); err != nil || p.Core {
			continue
		}
		if git(ctx, c, p.dir, "symbolic-ref", "--quiet", "HEAD") != nil {
			c.Verbose("Plugin %s stays at the revision that it was installed at", p.Name)
			continue
		}
		failed = errors.Join(failed, update(ctx, c, p, ""))
	}
	return failed
}

func update(ctx context.Context, c *plug.C, p *installed, committish string) error {
	fail := func(err error) error { return fmt.Errorf("cannot update plugin %q: %w", p.Name, err) }
	if p.Core {
		return fail(errors.New("it is core's, and comes with dokku"))
	}
	if _, err := os.Stat(filepath.Join(p.dir, ".git")); err != nil {
		return fail(errors.New("it is no git repository; uninstall it and install it anew"))
	}
	if strings.HasPrefix(committish, "-") {
		return fail(fmt.Errorf("no revision is %q", committish))
	}
	var err error
	if committish == "" {
		err = git(ctx, c, p.dir, "pull", "--quiet", "--ff-only", "--recurse-submodules")
	} else if err = git(ctx, c, p.dir, "fetch", "--quiet", "--tags", "origin"); err == nil {
		err = checkout(ctx, c, p.dir, committish)
	}
	if err != nil {
		return fail(err)
	}
	if p.Enabled {
		if err := hook(ctx, c, p.dir, "update"); err != nil {
			return errors.Join(fail(errors.New("its hook update failed")), err)
		}
	}
	c.Info1("Plugin %s updated", p.Name)
	return nil
}

// updateAll is the command of 0.3: only the hooks.
func updateAll(ctx context.Context, c *plug.C) error {
	if err := needRoot(c); err != nil {
		return err
	}
	return c.Trigger(ctx, "update")
}
