// Package buildpacks is the plugin buildpacks: by which buildpacks, and on which image, an app is built. The lists and
// words are those of today's dokku; what they mean to a build is in package buildstep.
package buildpacks

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

const pluginName = "buildpacks"

// Properties of the plugin.
const (
	listKey  = "buildpacks" // an entry per line
	stackKey = "stack"      // an image
)

// maxPacks is more than any app needs.
const maxPacks = 50

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "says by which buildpacks and on which image apps are built",
		Hooks: map[string]plug.Hook{
			"report":                reporter().Hook,
			"buildpack-stack-name":  stackName,
			"post-delete":           plug.DestroyProperties(pluginName),
			"post-app-clone-setup":  plug.CloneProperties(pluginName),
			"post-app-rename-setup": plug.MoveProperties(pluginName),
		},
		Commands: []plug.Command{
			{Name: "buildpacks:report", Args: reporter().Args(), Help: "Show how applications are built", Run: reporter().Run, Aliases: []string{"buildpacks"}},
			{Name: "buildpacks:list", Args: "APP", Help: "List the buildpacks of an app", Run: list},
			{Name: "buildpacks:add", Args: "[--index N] APP PACK", Help: "Add a buildpack, at place N or behind all", Run: change(add)},
			{Name: "buildpacks:set", Args: "[--index N|--replace] APP PACK...", Help: "Put a buildpack at place N, or replace all", Run: change(set)},
			{Name: "buildpacks:remove", Args: "[--index N] APP [PACK]", Help: "Take a buildpack out of the list", Run: change(remove)},
			{Name: "buildpacks:clear", Args: "APP", Help: "Have the buildpack found out again", Run: change(clearAll)},
			{Name: "buildpacks:set-property", Args: "APP|--global stack [IMAGE]", Help: "Set the image on which apps are built", Run: setProperty},
			{Name: "buildpacks:detect", Args: "[--branch NAME] APP", Help: "Show which buildpack would build an app", Run: detect},
		},
	}
}

// words are those of a verb that changes the list.
type words struct {
	index   int // from 1; 0: none given
	replace bool
	app     string
	packs   []string
}

func parse(c *plug.C) (w words, err error) {
	for i := 0; i < len(c.Args); i++ {
		word := c.Args[i]
		value, hasValue := strings.CutPrefix(word, "--index=")
		switch {
		case word == "--index" && i+1 < len(c.Args):
			i++
			value, hasValue = c.Args[i], true
		case word == "--replace":
			w.replace = true
			continue
		}
		switch {
		case hasValue:
			if w.index, err = strconv.Atoi(value); err != nil || w.index < 1 {
				return words{}, c.Usage("cannot use --index %q: places are counted from 1", value)
			}
		case strings.HasPrefix(word, "-"):
			return words{}, c.Usage("cannot use option %q: it is unknown", word)
		case w.app == "":
			w.app = word
		default:
			w.packs = append(w.packs, word)
		}
	}
	if w.app == "" {
		return words{}, c.Usage("cannot run %s: name the app", c.Verb())
	}
	return w, nil
}

// change makes the verb that changes the list by edit.
func change(edit func(c *plug.C, w words, now []string) ([]string, error)) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		w, err := parse(c)
		if err != nil {
			return err
		}
		a, err := c.Find(w.app)
		if err != nil {
			return err
		}
		unlock, err := app.LockPath(ctx, a.Path(".env.lock")) // two who change settings at the same time
		if err != nil {
			return err
		}
		defer unlock()
		now, err := readList(c, a)
		if err != nil {
			return err
		}
		next, err := edit(c, w, now)
		if err != nil {
			return err
		}
		if len(next) > maxPacks {
			return fmt.Errorf("cannot set the buildpacks of %q: there are more than %d", a.Name, maxPacks)
		}
		if err := property.Set(c.Settings(), pluginName, a.Name, listKey, strings.Join(next, "\n")); err != nil {
			return fmt.Errorf("cannot set the buildpacks of %q: %w", a.Name, err)
		}
		return nil
	}
}

func readList(c *plug.C, a app.App) ([]string, error) {
	text, err := property.Own(c.Settings(), pluginName, a.Name, listKey)
	if err != nil {
		return nil, fmt.Errorf("cannot read the buildpacks of %q: %w", a.Name, err)
	}
	return strings.Fields(text), nil
}

// entries checks what somebody names, and writes out what is short.
func entries(c *plug.C, given []string) ([]string, error) {
	if len(given) == 0 {
		return nil, c.Usage("cannot run %s: name a buildpack", c.Verb())
	}
	var out []string
	for _, entry := range given {
		p, err := buildstep.ParsePack(entry)
		if err != nil {
			return nil, err
		}
		out = append(out, p.String())
	}
	return out, nil
}

func one(c *plug.C, w words) (string, error) {
	if len(w.packs) > 1 {
		return "", c.Usage("cannot use %q: give one buildpack", w.packs[1])
	}
	packs, err := entries(c, w.packs)
	if err != nil {
		return "", err
	}
	return packs[0], nil
}

func add(c *plug.C, w words, now []string) ([]string, error) {
	if w.replace {
		return nil, c.Usage("cannot use --replace: it is for buildpacks:set")
	}
	entry, err := one(c, w)
	if err != nil {
		return nil, err
	}
	if slices.Contains(now, entry) {
		return nil, fmt.Errorf("cannot add %q: %q has it already", entry, w.app)
	}
	at := len(now)
	if w.index > 0 {
		at = min(w.index-1, at)
	}
	return slices.Insert(now, at, entry), nil
}

func set(c *plug.C, w words, now []string) ([]string, error) {
	if w.replace {
		if w.index > 0 {
			return nil, c.Usage("cannot use --index with --replace")
		}
		return entries(c, w.packs)
	}
	if len(w.packs) > 1 {
		return nil, c.Usage("cannot set several buildpacks without --replace")
	}
	entry, err := one(c, w)
	if err != nil {
		return nil, err
	}
	at := max(w.index-1, 0)
	if at >= len(now) {
		return append(now, entry), nil
	}
	now[at] = entry
	return now, nil
}

func remove(c *plug.C, w words, now []string) ([]string, error) {
	at := w.index - 1
	switch {
	case w.replace:
		return nil, c.Usage("cannot use --replace: it is for buildpacks:set")
	case w.index > 0 && len(w.packs) > 0:
		return nil, c.Usage("cannot remove a buildpack by its place and its name: give one of them")
	case len(now) == 0:
		return nil, fmt.Errorf("cannot remove a buildpack of %q: its list is empty", w.app)
	case w.index > len(now):
		return nil, fmt.Errorf("cannot remove buildpack %d of %q: it has %d", w.index, w.app, len(now))
	case w.index == 0:
		entry, err := one(c, w)
		if err != nil {
			return nil, err
		}
		if at = slices.Index(now, entry); at < 0 {
			return nil, fmt.Errorf("cannot remove %q: %q does not have it; see: dokku buildpacks:list %s", entry, w.app, w.app)
		}
	}
	c.Info1("Removing %s", shown(now[at]))
	return slices.Delete(now, at, at+1), nil
}

func clearAll(c *plug.C, w words, _ []string) ([]string, error) {
	if len(w.packs) > 0 || w.replace || w.index > 0 {
		return nil, c.Usage("cannot clear a part of the list: to remove a buildpack, use buildpacks:remove")
	}
	return nil, nil
}

// shown is an entry without passwords.
func shown(entry string) string {
	p, err := buildstep.ParsePack(entry)
	if err != nil {
		return entry // somebody has written it there
	}
	return p.Shown()
}

func list(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	packs, err := readList(c, a)
	if err != nil {
		return err
	}
	if !c.Settings().On(settings.Quiet) {
		c.Info1("%s buildpack urls", a.Name)
	}
	for _, entry := range packs {
		c.Verbose("%s", shown(entry))
	}
	return nil
}
