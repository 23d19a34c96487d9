// Package releases is the plugin that shows the releases of apps, goes back to earlier ones, recovers from crashes and
// removes what is kept for nobody.
package releases

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        release.Plugin,
		Description: "keeps releases and goes back to them",
		Hooks: map[string]plug.Hook{
			"app-recover":           recoverHook,
			"core-prune":            pruneHook,
			"post-delete":           plug.DestroyProperties(release.Plugin),
			"post-app-clone-setup":  plug.CloneProperties(release.Plugin),
			"post-app-rename-setup": plug.MoveProperties(release.Plugin),
		},
		Commands: []plug.Command{
			{Name: "releases", Args: "APP [--format json]", Help: "List the releases of an application", Run: list, Aliases: []string{"releases:list"}},
			{Name: "releases:info", Args: "APP vN [--reveal] [--format json]", Help: "Show what a release is made of", Run: info},
			{Name: "releases:diff", Args: "APP vN [vM] [--reveal] [--format json]", Help: "Show what differs between two releases", Run: diff},
			{Name: "releases:retain", Args: "APP|--global [COUNT]", Help: "Show or set how many images are kept for rollbacks", Run: retain},
			{Name: "rollback", Args: "APP [vN]", Help: "Put an earlier release in service again", Run: rollback, Aliases: []string{"releases:rollback"}},
			{Name: "recover", Args: "[APP]", Help: "Mend what a crash or a reboot has left, and start what ran", Run: recoverVerb},
			{Name: "events", Args: "[APP] [-t] [--num N] [--format json]", Help: "Show what happened to applications", Run: events},
			{Name: "events:list", Help: "List what is told of applications by events", Run: eventKinds},
			{Name: "events:on", Help: "Keep events again", Run: keepEvents(true)},
			{Name: "events:off", Help: "Keep no more events", Run: keepEvents(false)},
		},
	}
}

// request is what the words of a verb ask for.
type request struct {
	words  []string // without options
	json   bool
	reveal bool
	follow bool
	num    int
}

func parse(c *plug.C, most int) (*request, error) {
	r := &request{num: 100}
	for i := 0; i < len(c.Args); i++ {
		word := c.Args[i]
		name, value, given := strings.Cut(word, "=")
		operand := func() string {
			if !given && i+1 < len(c.Args) {
				i++
				value = c.Args[i]
			}
			return value
		}
		switch name {
		case "--format":
			switch v := operand(); v {
			case "json":
				r.json = true
			case "text", "stdout":
			default:
				return nil, c.Usage("cannot print as %q: the formats are json and text", v)
			}
		case "-t", "--tail":
			r.follow = true
		case "--reveal":
			r.reveal = true
		case "--num":
			n, err := strconv.Atoi(operand())
			if err != nil || n < 1 {
				return nil, c.Usage("cannot show %q events: give a whole number of at least 1", value)
			}
			r.num = n
		default:
			if strings.HasPrefix(word, "--") && word != "--global" {
				return nil, c.Usage("cannot use option %q: it is unknown", word)
			}
			r.words = append(r.words, word)
		}
	}
	if len(r.words) > most {
		return nil, c.Usage("cannot use %q: too many words", r.words[most])
	}
	c.Args = r.words
	return r, nil
}

func rollback(ctx context.Context, c *plug.C) error {
	if _, err := parse(c, 2); err != nil {
		return err
	}
	a, err := c.App(0)
	if err != nil {
		return err
	}
	n := 0
	if c.Arg(1) != "" {
		if n, err = release.Parse(c.Arg(1)); err != nil {
			return c.Usage("%v", err)
		}
	}
	err = c.Lock(ctx, a, func(c *plug.C) error { return deploy.Rollback(ctx, c, a, n) })
	if err != nil {
		return err
	}
	c.Info2("%s is rolled back:", a.Name)
	c.Verbose("%s", a.State("URL"))
	return nil
}

func recoverHook(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	return recoverApp(ctx, c, a)
}

func recoverApp(ctx context.Context, c *plug.C, a app.App) error {
	if err := deploy.SweepData(c.Settings(), a.Name); err != nil {
		return err
	}
	return deploy.RecoverLocked(ctx, c, a)
}

func recoverVerb(ctx context.Context, c *plug.C) error {
	if _, err := parse(c, 1); err != nil {
		return err
	}
	if len(c.Args) == 0 {
		return deploy.RecoverAll(ctx, c)
	}
	a, err := c.App(0)
	if err != nil {
		return err
	}
	err = recoverApp(ctx, c, a)
	if err == nil && !release.Stopped(a) && deploy.Deployed(a) {
		c.Info1("%s is up", a.Name)
	}
	return err
}

func retain(_ context.Context, c *plug.C) error {
	if _, err := parse(c, 2); err != nil {
		return err
	}
	name := c.Arg(0)
	if name != property.Global {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		name = a.Name
	}
	if len(c.Args) < 2 {
		fmt.Fprintln(c.Stdout, release.Retain(c.Settings(), name))
		return nil
	}
	return release.SetRetain(c.Settings(), name, c.Arg(1))
}
