// Package checks is the plugin that decides whether a new container may take over: by the requests that a CHECKS file
// lists, by the healthchecks of app.json, or, when there are neither, by whether it listens or stays up.
//
// CHECKS is a file of 2014 (toolchain-2014, section 11), app.json one of today. Both are kept in labels of the image
// that is built from their tree, so each release is checked by its own.
package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

const pluginName = "checks"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "checks new containers before they take over",
		Hooks: map[string]plug.Hook{
			"report":                reporter().Hook,
			"check-deploy":          checkDeploy,
			"post-delete":           plug.DestroyProperties(pluginName),
			"post-app-clone-setup":  plug.CloneProperties(pluginName),
			"post-app-rename-setup": plug.MoveProperties(pluginName),
		},
		Commands: []plug.Command{
			{Name: "checks:report", Args: reporter().Args(), Help: "Show how applications are checked", Run: reporter().Run, Aliases: []string{"checks"}},
			{Name: "checks:run", Args: "APP [TYPE|TYPE.N,...]", Help: "Check the containers that serve now", Run: runNow},
			{Name: "checks:enable", Args: "APP [TYPE,...]", Help: "Check new containers again", Run: change("")},
			{Name: "checks:disable", Args: "APP [TYPE,...]", Help: "Have new containers take over unchecked", Run: change(disabled)},
			{Name: "checks:skip", Args: "APP [TYPE,...]", Help: "Skip the checks of new containers", Run: change(skipped)},
		},
	}
}

func reporter() plug.Reporter { return plug.Reporter{Area: pluginName, Of: reportOf} }

// serverFile is the text of DOKKU_ROOT/APP/CHECKS, which an admin may have put there; "" when there is none.
func serverFile(a app.App) (string, error) { return deploy.ServerFile(a, "CHECKS", "the checks") }

// runNow checks the containers that serve, by the hook that checks new ones.
func runNow(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	want := split(c.Args[1:])
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	current, err := release.Current(a)
	if err != nil {
		return err
	}
	var errs []error
	found := map[string]bool{}
	for _, file := range a.StateFiles("CONTAINER.*.*") {
		dyno := strings.TrimPrefix(file, "CONTAINER.")
		kind, _, _ := strings.Cut(dyno, ".")
		if len(want) > 0 && !slices.Contains(want, kind) && !slices.Contains(want, dyno) {
			continue
		}
		found[kind], found[dyno] = true, true
		got, err := engine.Inspect(ctx, a.State(file))
		if err == nil && !got.Running {
			err = fmt.Errorf("cannot check %s of %q: its container does not run (%s)", dyno, a.Name, got.Status)
		}
		if err == nil {
			c.Info1("Checking %s of %s ...", dyno, a.Name)
			err = c.Trigger(ctx, "check-deploy", a.Name, got.ID, kind, strconv.Itoa(current.Port(kind)), got.IP)
		}
		errs = append(errs, err)
	}
	for _, word := range want {
		if !found[word] {
			errs = append(errs, fmt.Errorf("cannot check %q of %q: it has no such process; see dokku ps %s", word, a.Name, a.Name))
		}
	}
	if len(found) == 0 && len(want) == 0 {
		return fmt.Errorf("cannot check %q: it is not deployed", a.Name)
	}
	return errors.Join(errs...)
}

// split takes words apart at their commas.
func split(words []string) (out []string) {
	for _, word := range words {
		out = append(out, strings.FieldsFunc(word, func(r rune) bool { return r == ',' })...)
	}
	return out
}

// change makes the verb that puts process types on the list of that name, and takes them off the other.
func change(key string) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		given, err := newTypes(split(c.Args[1:]))
		if err != nil {
			return c.Usage("%v", err)
		}
		known, err := knownTypes(a)
		if err != nil {
			return err
		}
		unlock, err := app.LockPath(ctx, a.Path(".env.lock")) // two who change settings at the same time
		if err != nil {
			return err
		}
		defer unlock()
		for _, list := range []string{disabled, skipped} {
			now := readTypes(c.Settings(), a, list)
			if list == key {
				now = now.with(given)
			} else {
				now = now.without(given, known)
			}
			if err := property.Set(c.Settings(), pluginName, a.Name, list, now.String()); err != nil {
				return fmt.Errorf("cannot set the checks of %q: %w", a.Name, err)
			}
		}
		what := map[string]string{"": "enabled", disabled: "disabled", skipped: "skipped"}[key]
		on := "all processes"
		if !given.all {
			on = strings.Join(given.names, ", ")
		}
		c.Info1("The checks of %s of %s are %s", on, a.Name, what)
		return nil
	}
}
