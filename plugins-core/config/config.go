// Package config is the plugin that keeps the variables of apps (toolchain-2014, section 4.5).
package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "config",
		Description: "keeps the variables of apps",
		Hooks: map[string]plug.Hook{
			"config-get":        getHook,
			"config-get-global": getGlobalHook,
			"config-set":        setHook,
			"config-unset":      unsetHook,
		},
		Commands: []plug.Command{
			{Name: "config", Args: "[--shell] [--merged] APP|--global", Help: "Display the variables of an application", Run: show, Aliases: []string{"config:show"}},
			{Name: "config:get", Args: "APP|--global KEY", Help: "Display one variable of an application", Run: get},
			{Name: "config:set", Args: "[--no-restart] APP|--global KEY1=VALUE1 [KEY2=VALUE2 ...]", Help: "Set variables of an application", Run: set},
			{Name: "config:unset", Args: "[--no-restart] APP|--global KEY1 [KEY2 ...]", Help: "Unset variables of an application", Run: unset},
			{Name: "config:clear", Args: "[--no-restart] APP|--global", Help: "Unset all variables of an application", Run: clearAll},
			{Name: "config:keys", Args: "[--merged] APP|--global", Help: "Display the names of an application's variables", Run: keys},
			{Name: "config:export", Args: "[--merged] APP|--global", Help: "Display the variables as lines for a shell", Run: export},
			{Name: "config:bundle", Args: "[--merged] APP|--global", Help: "Write the variables as a tar, with a file for each", Run: bundle},
			{Name: "config:set-norestart", Same: "config:set", Args: "APP KEY1=VALUE1 [KEY2=VALUE2 ...]", Run: noRestart(set)},
			{Name: "config:unset-norestart", Same: "config:unset", Args: "APP KEY1 [KEY2 ...]", Run: noRestart(unset)},
		},
	}
}

func noRestart(run plug.Hook) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		c.Args = append([]string{"--no-restart"}, c.Args...)
		return run(ctx, c)
	}
}

// target is whose variables a command is about.
type target struct {
	app       app.App // Name is "" for the global ones
	file      string
	words     []string // what follows the app's name
	noRestart bool
	shell     bool
	merged    bool // with those of all apps
}

func parse(c *plug.C) (*target, error) { return parseWith(c, false) }

// parseWith reads the words; merged tells whether there may be --merged.
func parseWith(c *plug.C, merged bool) (*target, error) {
	t := &target{}
	var words []string
	for _, word := range c.Args {
		switch {
		case word == "--no-restart":
			t.noRestart = true
		case word == "--merged" && merged:
			t.merged = true
		case word == "--shell":
			t.shell = true
		case strings.HasPrefix(word, "--") && word != "--global":
			return nil, c.Usage("cannot use option %q: it is unknown", word)
		default:
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return nil, c.Usage("You must specify an app name")
	}
	root := c.Settings().Root()
	if words[0] == "--global" {
		t.app.Root, t.file = root, filepath.Join(root, "ENV")
		t.noRestart = true
	} else {
		a, err := c.Find(words[0])
		if err != nil {
			return nil, err
		}
		t.app, t.file = a, a.Path("ENV")
	}
	t.words = words[1:]
	return t, nil
}

func (t *target) name() string {
	if t.app.Name == "" {
		return "global"
	}
	return t.app.Name
}

func (t *target) read() (envfile.Vars, error) { return envfile.Read(t.file) }

func readAll(c *plug.C) (*target, envfile.Vars, error) {
	t, err := parseWith(c, true)
	if err != nil {
		return nil, nil, err
	}
	if len(t.words) > 0 {
		return nil, nil, c.Usage("cannot use %q: too many words", t.words[0])
	}
	if t.merged && t.app.Name != "" {
		vars, err := t.app.MergedEnv()
		return t, vars, err
	}
	vars, err := t.read()
	return t, vars, err
}

func show(_ context.Context, c *plug.C) error {
	t, vars, err := readAll(c)
	if err != nil {
		return err
	}
	if len(vars) == 0 {
		return fmt.Errorf("%s has no config vars", t.name())
	}
	if t.shell {
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(vars)) {
			pairs = append(pairs, key+"="+envfile.Quote(vars[key]))
		}
		fmt.Fprintln(c.Stdout, strings.Join(pairs, " "))
		return nil
	}
	fmt.Fprintf(c.Stdout, "=== %s config vars ===\n", t.name())
	table(c, vars)
	return nil
}

// table prints the variables with their values in one column, one blank after the longest name.
func table(c *plug.C, vars envfile.Vars) {
	width := 0
	for key := range vars {
		width = max(width, len(key)+1)
	}
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(c.Stdout, "%-*s %s\n", width, key+":", vars[key])
	}
}

func keys(_ context.Context, c *plug.C) error {
	_, vars, err := readAll(c)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintln(c.Stdout, key)
	}
	return nil
}

func export(_ context.Context, c *plug.C) error {
	_, vars, err := readAll(c)
	if err != nil {
		return err
	}
	fmt.Fprint(c.Stdout, envfile.Format(vars))
	return nil
}

func get(_ context.Context, c *plug.C) error {
	t, err := parse(c)
	if err != nil {
		return err
	}
	if len(t.words) != 1 {
		return c.Usage("Must specify KEY.")
	}
	return printValue(c, t, t.words[0])
}

func printValue(c *plug.C, t *target, key string) error {
	vars, err := t.read()
	if err != nil {
		return err
	}
	value, ok := vars[key]
	if !ok {
		return &pluginhook.ExitError{Path: c.Path, Code: 1}
	}
	fmt.Fprintln(c.Stdout, value)
	return nil
}

func set(ctx context.Context, c *plug.C) error {
	t, err := parse(c)
	if err != nil {
		return err
	}
	if len(t.words) == 0 {
		return c.Usage("Must specify KEY and VALUE to set.")
	}
	for _, word := range t.words {
		if !strings.Contains(word, "=") {
			return c.Usage("cannot set %q: Must specify KEY and VALUE to set, as KEY=VALUE.", word)
		}
	}
	return t.set(ctx, c)
}

// set gives the variables of t.words, KEY=VALUE each, their values.
func (t *target) set(ctx context.Context, c *plug.C) error {
	given := envfile.Vars{}
	for _, word := range t.words {
		key, value, _ := strings.Cut(word, "=")
		if err := checkPair(key, value); err != nil {
			return err
		}
		given[key] = value
	}
	return t.change(ctx, c, "set", given, func(vars envfile.Vars) bool {
		changed := false
		for key, value := range given {
			if old, ok := vars[key]; !ok || old != value {
				vars[key], changed = value, true
			}
		}
		return changed
	})
}

func checkPair(key, value string) error {
	if !envfile.ValidKey(key) {
		return fmt.Errorf("cannot set %q: a name is a letter or underscore, then letters, digits and underscores", key)
	}
	return envfile.CheckValue(key, value)
}

func unset(ctx context.Context, c *plug.C) error {
	t, err := parse(c)
	if err != nil {
		return err
	}
	if len(t.words) == 0 {
		return c.Usage("Must specify KEY to unset.")
	}
	return t.unset(ctx, c)
}

func clearAll(ctx context.Context, c *plug.C) error {
	t, vars, err := readAll(c)
	if err != nil {
		return err
	}
	if len(vars) == 0 {
		c.Verbose("Nothing changed")
		return nil
	}
	t.words = slices.Sorted(maps.Keys(vars))
	return t.unset(ctx, c)
}

// unset takes the variables of t.words away.
func (t *target) unset(ctx context.Context, c *plug.C) error {
	for _, key := range t.words {
		if !envfile.ValidKey(key) {
			return fmt.Errorf("cannot unset %q: a name is a letter or underscore, then letters, digits and underscores", key)
		}
	}
	return t.change(ctx, c, "unset", nil, func(vars envfile.Vars) bool {
		changed := false
		for _, key := range t.words {
			if _, ok := vars[key]; ok {
				delete(vars, key)
				changed = true
			}
		}
		return changed
	})
}

// change edits the variables, tells the plugins, and restarts the app once, if it runs and something changed.
func (t *target) change(ctx context.Context, c *plug.C, action string, given envfile.Vars, edit func(envfile.Vars) bool) error {
	changed, err := t.edit(ctx, edit)
	if err != nil {
		return err
	}
	// Values that an earlier command has kept, without coming to the restart, are new to the app still.
	changed = changed || !t.noRestart && t.restartDue()
	verb := map[string]string{"set": "Setting config vars", "unset": "Unsetting " + strings.Join(t.words, " ")}[action]
	// Whether there is anything to restart is found out under the app's lock: a first deploy may be under way.
	restart := changed && !t.noRestart
	if restart && deploy.Deployed(t.app) {
		verb += " and restarting " + t.name()
	} else if action == "set" {
		verb += " for " + t.name()
	}
	c.Info1("%s", verb)
	table(c, given)
	if !changed {
		c.Verbose("Nothing changed")
		return nil
	}
	if t.app.Name == "" {
		return nil
	}
	args := append([]string{t.app.Name, action}, t.words...)
	if err := c.Trigger(ctx, "post-config-update", args...); err != nil {
		return err
	}
	if !restart {
		return nil
	}
	if err := deploy.Restart(ctx, c, t.app, "config"); err != nil {
		return errors.Join(fmt.Errorf("the new values are kept, but %s still runs with the old ones", t.name()), err)
	}
	if err := record.Remove(t.app.Path(restartFile)); err != nil {
		c.Warn("%v", err)
	}
	if deploy.Deployed(t.app) && !t.app.HeldByAncestor(c.Getenv(app.LockTokenEnv)) {
		c.Info1("Deploy complete!")
	}
	return nil
}

// edit reads, changes and writes the file under a lock of its own, so that two commands do not undo each other; the
// app's lock would make them wait for a whole deploy.
func (t *target) edit(ctx context.Context, edit func(envfile.Vars) bool) (changed bool, err error) {
	lock := t.app.LockFile
	if t.app.Name == "" {
		lock = func(ctx context.Context, file string) (func(), error) {
			return app.LockPath(ctx, filepath.Join(t.app.Root, file))
		}
	}
	unlock, err := lock(ctx, ".env.lock")
	if err != nil {
		return false, err
	}
	defer unlock()
	vars, err := t.read()
	if err != nil {
		return false, err
	}
	if !edit(vars) {
		// That there is nothing to do is an answer that has to last, too: who wrote this may have been killed then.
		if err := record.SyncDir(filepath.Dir(t.file)); err != nil {
			return false, fmt.Errorf("cannot write %q: %w", t.file, err)
		}
		return false, nil
	}
	if serving := t.serving(); serving != "" && !t.noRestart {
		if err := record.WriteLine(t.app.Path(restartFile), serving); err != nil {
			return false, err
		}
	}
	return true, envfile.Write(t.file, vars)
}

// restartFile names the release that runs with older values than those that are kept, from before they are written until
// the restart is done.
const restartFile = ".restart-due"

// serving names what runs now, "" when nothing does: the release, or of an app that has none on record its container.
func (t *target) serving() string {
	if t.app.Name == "" {
		return ""
	}
	if current, err := release.Current(t.app); err == nil && current != nil {
		return current.Name()
	}
	return t.app.State("CONTAINER")
}

// restartDue tells whether an earlier command has changed the values and could not restart the app. Any deploy since has
// brought another release.
func (t *target) restartDue() bool {
	due := t.app.State(restartFile)
	return due != "" && due == t.serving()
}
