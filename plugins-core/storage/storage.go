// Package storage is the plugin of the commands that mount directories of the host in the containers of an app. A mount is
// an option for docker, "-v HOST:CONTAINER", in the phases deploy and run.
package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockeroptions"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "storage",
		Description: "mounts directories of the host in containers",
		Hooks:       map[string]plug.Hook{"report": reporter().Hook},
		Commands: []plug.Command{
			{Name: "storage:mount", Args: "APP HOST:CONTAINER", Help: "Mount a directory of the host, or a volume, in containers of an application", Run: mount},
			{Name: "storage:unmount", Args: "APP HOST:CONTAINER", Help: "Mount a directory no more", Run: unmount},
			{Name: "storage:list", Args: "APP", Help: "List what is mounted in containers of an application", Run: list},
			{Name: "storage:ensure-directory", Args: "NAME", Help: "Make a directory of the host for containers", Run: ensure},
			{Name: "storage:report", Args: reporter().Args(), Help: "Show what is mounted in containers of applications", Run: reporter().Run},
		},
	}
}

const flag = "-v "

// phases are those in which directories are mounted.
func phases() []string { return []string{dockeroptions.Deploy, dockeroptions.Run} }

func root(c *plug.C) string { return filepath.Join(c.Settings().LibRoot(), "data/storage") }

// check refuses what docker would take for something else: both sides are there, the container's is a path, the host's a
// path or the name of a volume.
func check(c *plug.C) (a app.App, spec string, err error) {
	if a, err = c.App(0); err != nil {
		return a, "", err
	}
	if len(c.Args) != 2 {
		return a, "", c.Usage("cannot mount in %q: give HOST:CONTAINER", a.Name)
	}
	spec = c.Args[1]
	bad := func(why string) error { return fmt.Errorf("cannot mount %q: %s", spec, why) }
	parts := strings.Split(spec, ":")
	switch {
	case len(parts) < 2 || len(parts) > 3 || parts[0] == "" || len(parts) == 3 && parts[2] == "":
		return a, "", bad("give HOST:CONTAINER")
	case strings.ContainsAny(spec, " \t\r\n\x00'\"\\"):
		return a, "", bad("it has blanks or quotes in it")
	case !filepath.IsAbs(parts[1]) || filepath.Clean(parts[1]) == "/":
		return a, "", bad("the container's side is a path from / on, and not / itself")
	case !filepath.IsAbs(parts[0]) && !volume(parts[0]):
		return a, "", bad("the host's side is a path from / on, or the name of a volume: letters, digits, dots, hyphens and underscores")
	}
	return a, spec, nil
}

func volume(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-", r)) {
			return false
		}
	}
	return len(name) > 1
}

func mount(ctx context.Context, c *plug.C) error {
	a, spec, err := check(c)
	if err != nil {
		return err
	}
	host, _, _ := strings.Cut(spec, ":")
	// An app's own directory gives no power: nothing that containers can change is above it. A link in it would.
	if host != filepath.Join(root(c), a.Name) {
		if err := c.Admin(ctx); err != nil {
			return err
		}
		if dockeroptions.Warns(flag+spec, root(c)) {
			c.Warn("-v %s may give %s, and whoever deploys it, power over the host", spec, a.Name)
		}
	}
	return dockeroptions.Edit(ctx, a, dockeroptions.In(phases()...), func(old []string) ([]string, error) {
		if slices.Contains(old, flag+spec) {
			//lint:ignore ST1005 scripts know this text
			return nil, errors.New("Mount path already exists.")
		}
		return append(old, flag+spec), nil
	})
}

func unmount(ctx context.Context, c *plug.C) error {
	a, spec, err := check(c)
	if err != nil {
		return err
	}
	return dockeroptions.Edit(ctx, a, dockeroptions.In(phases()...), func(old []string) ([]string, error) {
		if !slices.Contains(old, flag+spec) {
			//lint:ignore ST1005 scripts know this text
			return nil, errors.New("Mount path does not exist.")
		}
		return slices.DeleteFunc(old, func(o string) bool { return o == flag+spec }), nil
	})
}

// mounts are those of a phase, without the option.
func mounts(a app.App, phase string) ([]string, error) {
	options, err := dockeroptions.Read(a, dockeroptions.Scope{Phase: phase})
	var out []string
	for _, option := range options {
		if spec, ok := strings.CutPrefix(option, flag); ok {
			out = append(out, spec)
		}
	}
	return out, err
}

func list(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	all, err := mounts(a, dockeroptions.Deploy)
	if err != nil {
		return err
	}
	if !c.Settings().On(settings.Quiet) {
		c.Info1("%s volume bind-mounts:", a.Name)
	}
	for _, spec := range all {
		c.Verbose("%s", spec)
	}
	return nil
}

// ensure makes a directory below the one for such directories. Who runs in containers is another user, whom nobody here
// can know, so it is open to all.
func ensure(_ context.Context, c *plug.C) error {
	if len(c.Args) != 1 {
		return c.Usage("cannot make a directory: give one name")
	}
	name := c.Args[0]
	if app.CheckName(name) != nil && !volume(name) {
		return fmt.Errorf("cannot make the directory %q: use letters, digits, dots, hyphens and underscores", name)
	}
	c.Info1("Ensuring %s exists", filepath.Join(root(c), name))
	if err := record.MkdirAll(root(c), 0o711); err != nil {
		return err
	}
	dir := filepath.Join(root(c), name)
	if err := record.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return os.Chmod(dir, 0o777) // whatever the umask is
}

func reporter() plug.Reporter { return plug.Reporter{Area: "storage", Of: reportOf} }

func reportOf(_ context.Context, _ *plug.C, a app.App) (plug.Facts, error) {
	var facts plug.Facts
	for _, phase := range dockeroptions.Phases() {
		all, err := mounts(a, phase)
		if err != nil {
			return nil, err
		}
		for i := range all {
			all[i] = flag + all[i]
		}
		facts = append(facts, plug.Fact{Name: phase + " mounts", Value: strings.Join(all, " ")})
	}
	return facts, nil
}
