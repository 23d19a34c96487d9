// Package domains is the plugin of the commands about host names: those of each app, in its file VHOST, and those below
// which apps get a name by default, in DOKKU_ROOT/VHOST. Who serves the names is the proxy's plugin.
package domains

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

const pluginName = "domains"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "keeps the host names of apps",
		Hooks: map[string]plug.Hook{
			"report":                reporter().Hook,
			"domains-add":           ofApp("add", add),
			"post-app-clone-setup":  cloned,
			"post-app-rename-setup": renamed,
		},
		Commands: []plug.Command{
			{Name: "domains", Args: "APP", Help: "List the host names of an application", Run: list},
			{Name: "domains:add", Args: "APP NAME...", Help: "Add host names to an application", Run: ofApp("add", add)},
			{Name: "domains:remove", Args: "APP NAME...", Help: "Remove host names from an application", Run: ofApp("remove", remove)},
			{Name: "domains:set", Args: "APP NAME...", Help: "Replace the host names of an application", Run: ofApp("set", set)},
			{Name: "domains:clear", Args: "APP", Help: "Go back to the default host names of an application", Run: ofApp("clear", clearNames), Aliases: []string{"domains:reset"}},
			{Name: "domains:setup", Args: "APP", Run: setup},
			{Name: "domains:enable", Args: "APP", Help: "Serve an application by its host names", Run: enable},
			{Name: "domains:disable", Args: "APP", Help: "Serve an application at a port, without host names", Run: disable},
			{Name: "domains:report", Args: reporter().Args(), Help: "Show the host names of applications", Run: reporter().Run},
			{Name: "domains:add-global", Args: "NAME...", Help: "Add names below which applications get theirs", Run: global("add", add)},
			{Name: "domains:remove-global", Args: "NAME...", Help: "Remove names below which applications get theirs", Run: global("remove", remove)},
			{Name: "domains:set-global", Args: "NAME...", Help: "Replace the names below which applications get theirs", Run: global("set", set)},
			{Name: "domains:clear-global", Help: "Remove all names below which applications get theirs", Run: global("clear", clearNames)},
		},
	}
}

// edit makes new names of those that there are; changed names what is different, none when nothing is. nil in place of
// the names removes the file.
type edit func(c *plug.C, target string, old, words []string) (names, changed []string, err error)

func add(_ *plug.C, target string, old, words []string) (names, changed []string, err error) {
	for _, word := range words {
		if hosts.Has(old, word) {
			return nil, nil, fmt.Errorf("%s is already defined for %s", word, target)
		}
		if !hosts.Has(changed, word) {
			changed = append(changed, word)
		}
	}
	return slices.Concat(old, changed), changed, nil
}

func remove(_ *plug.C, _ string, old, words []string) (names, changed []string, err error) {
	names = []string{} // with no name left the app has none, not those by default
	for _, name := range old {
		if hosts.Has(words, name) {
			changed = append(changed, name)
		} else {
			names = append(names, name)
		}
	}
	return names, changed, nil
}

func set(_ *plug.C, _ string, old, words []string) (names, changed []string, err error) {
	for _, word := range words {
		if !hosts.Has(names, word) {
			names = append(names, word)
		}
	}
	return names, names, nil
}

func clearNames(_ *plug.C, _ string, old, _ []string) (names, changed []string, err error) {
	return nil, old, nil
}

// setup is for scripts of 2014: names by default need no file here.
func setup(_ context.Context, c *plug.C) error {
	_, err := c.App(0)
	return err
}

// tell says what an edit has done.
func tell(c *plug.C, action, target string, changed []string) {
	switch action {
	case "add":
		for _, name := range changed {
			c.Info1("Added %s to %s", name, target)
		}
	case "remove":
		for _, name := range changed {
			c.Info1("Removed %s from %s", name, target)
		}
	case "set":
		c.Info1("Set %s for %s", strings.Join(changed, " "), target)
	case "clear":
		c.Info1("Cleared domains in %s", target)
	}
}

// checkWords refuses what is no host name, before anything is changed.
func checkWords(c *plug.C, action, what string, words []string) error {
	switch {
	case action == "clear" && len(words) > 0:
		return c.Usage("cannot use %q: too many words", words[0])
	case action != "clear" && len(words) == 0:
		return c.Usage("cannot %s no %s: give at least one name", action, what)
	case action == "remove": // what is there by whatever way may go
		return nil
	}
	for _, word := range words {
		if !hosts.Usable(word) {
			return fmt.Errorf("cannot use %q as a host name: use letters, digits and hyphens in parts joined by dots, each of at most 63 characters and 253 in all, with at most one \"*.\" before them", word)
		}
	}
	return nil
}

// ofApp is a verb that edits the names of an app, has the proxy serve the new ones, and tells the plugins.
func ofApp(action string, f edit) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		words := c.Args[1:]
		if err := checkWords(c, action, "host name", words); err != nil {
			return err
		}
		return c.Lock(ctx, a, func(c *plug.C) error {
			changed, did, err := change(ctx, c, a, words, f)
			if err != nil {
				return err
			}
			if !did {
				c.Verbose("Nothing changed")
				return nil
			}
			tell(c, action, a.Name, changed)
			if on, err := hosts.On(a); err == nil && !on {
				c.Warn("%s is served without host names for now; to have it served by them: dokku domains:enable %s", a.Name, a.Name)
			}
			return c.Trigger(ctx, "post-domains-update", append([]string{a.Name, action}, words...)...)
		})
	}
}

// lock takes the lock of all host names.
func lock(ctx context.Context, c *plug.C) (unlock func(), err error) {
	dir := c.Settings().Data(pluginName)
	if err := record.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return app.LockPath(ctx, filepath.Join(dir, ".lock"))
}

// change writes the app's names and has the proxy serve them; when the proxy does not, all is as it was.
func change(ctx context.Context, c *plug.C, a app.App, words []string, f edit) (changed []string, did bool, err error) {
	// Two commands that give one name to two apps are one after the other.
	unlock, err := lock(ctx, c)
	if err != nil {
		return nil, false, err
	}
	unlock = sync.OnceFunc(unlock)
	defer unlock()
	own, had, err := hosts.Own(a)
	if err != nil && len(words) > 0 {
		return nil, false, err
	}
	old := own
	if !had { // what is added is added to what it has
		if old, err = hosts.Defaults(ctx, c, a); err != nil {
			return nil, false, err
		}
	}
	names, changed, err := f(c, a.Name, old, words)
	if err != nil || unchanged(own, had, names, changed) {
		return nil, false, err
	}
	for _, name := range names {
		if hosts.Has(old, name) {
			continue
		}
		owner, err := hosts.Owner(ctx, c, a, name)
		if err != nil {
			return nil, false, err
		}
		if owner != "" {
			return nil, false, fmt.Errorf("cannot give %q to %s: app %q has that name", name, a.Name, owner)
		}
	}
	before, err := a.Snapshot(hosts.File)
	if err != nil {
		return nil, false, err
	}
	if err := write(a.Path(hosts.File), names); err != nil {
		return nil, false, err
	}
	// Nobody else can get a name that is in the file. So others may go on, and have nginx load their names together with
	// these, unless there are names that others could take and that this would have to take back.
	if !slices.ContainsFunc(old, func(name string) bool { return !hosts.Has(names, name) }) {
		unlock()
	}
	if err := deploy.Reproxy(ctx, c, a); err != nil {
		if undo := before.Restore(); undo != nil {
			c.Warn("%v", undo)
		}
		return nil, false, err
	}
	return changed, true, nil
}

// unchanged tells whether an edit leaves the file as it is. A file without a name is not the same as none.
func unchanged(own []string, had bool, names, changed []string) bool {
	return names != nil && len(changed) == 0 || had == (names != nil) && slices.Equal(own, names)
}

// write puts the names in a file, one a line; nil removes it.
func write(path string, names []string) error {
	if names == nil {
		return record.Remove(path)
	}
	return record.Write(path, []byte(strings.Join(append(slices.Clone(names), ""), "\n")), 0o644)
}

// global is a verb that edits the names below which apps get theirs, and has the proxy serve those apps anew.
func global(action string, f edit) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		if err := checkWords(c, action, "global name", c.Args); err != nil {
			return err
		}
		for _, word := range c.Args {
			if strings.HasPrefix(word, "*") && action != "remove" {
				return fmt.Errorf("cannot use %q as a global name: names of applications are made by putting theirs before it", word)
			}
		}
		root := c.Settings().Root()
		changed, err := changeGlobal(ctx, c, root, f)
		if err != nil {
			return err
		}
		if len(changed) == 0 {
			c.Verbose("Nothing changed")
			return nil
		}
		tell(c, action, "the global domains", changed)
		return reproxyDefaults(ctx, c, root)
	}
}

func changeGlobal(ctx context.Context, c *plug.C, root string, f edit) (changed []string, err error) {
	unlock, err := lock(ctx, c)
	if err != nil {
		return nil, err
	}
	defer unlock()
	old, err := hosts.Global(root, hosts.File)
	if err != nil {
		return nil, err
	}
	names, changed, err := f(c, "the global domains", old, c.Args)
	if err != nil || len(changed) == 0 || slices.Equal(old, names) {
		return nil, err
	}
	if len(names) == 0 {
		names = nil
	}
	return changed, write(filepath.Join(root, hosts.File), names)
}

// reproxyDefaults has the proxy serve the apps that have no names of their own.
func reproxyDefaults(ctx context.Context, c *plug.C, root string) error {
	apps, err := app.List(root)
	if err != nil {
		return err
	}
	for _, name := range apps {
		a := app.App{Name: name, Root: root}
		if _, own, _ := hosts.Own(a); own || strings.Contains(name, ".") || !deploy.Deployed(a) {
			continue
		}
		if err := c.Lock(ctx, a, func(c *plug.C) error { return deploy.Reproxy(ctx, c, a) }); err != nil {
			c.Warn("cannot serve %s under its new names: %v", name, err)
		}
	}
	return nil
}

func enable(ctx context.Context, c *plug.C) error {
	return switchNames(ctx, c, "Enabled", "config-unset", hosts.NoVhost)
}

func disable(ctx context.Context, c *plug.C) error {
	return switchNames(ctx, c, "Disabled", "config-set", hosts.NoVhost+"=1")
}

// switchNames turns the names of an app on or off, by a variable as in 2014. Where its port is open to others is decided
// when containers are made, so a running app is restarted.
func switchNames(ctx context.Context, c *plug.C, what, hook, word string) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) > 1 {
		return c.Usage("cannot use %q: too many words", c.Args[1])
	}
	vars, err := a.Env()
	if err != nil {
		return err
	}
	if on := vars[hosts.NoVhost] == "" || vars[hosts.NoVhost] == "0"; on == (hook == "config-unset") {
		c.Verbose("Nothing changed")
		return nil
	}
	c.Info1("%s domains for %s", what, a.Name)
	quiet := c.WithOutput(io.Discard, c.Stderr)
	switch hook {
	case "config-unset":
		err = quiet.Trigger(ctx, "config-unset", "--no-restart", a.Name, word)
	default:
		err = quiet.Trigger(ctx, "config-set", "--no-restart", a.Name, word)
	}
	if err != nil {
		return err
	}
	return deploy.Restart(ctx, c, a, "domains")
}
