package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// installed is a plugin that is there, enabled or not.
type installed struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Enabled     bool     `json:"enabled"`
	Core        bool     `json:"core"`
	Description string   `json:"description"`
	Broken      []string `json:"broken,omitempty"` // hooks that cannot be started, and why

	dir string // where its files are reached
}

// checkName refuses what is no plugin's name: it is part of paths.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("cannot use an empty name for a plugin")
	case name == "available" || name == "enabled" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-"):
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "":
	default:
		return nil
	}
	return fmt.Errorf("cannot use %q as the name of a plugin: use letters, digits, dots, hyphens and underscores", name)
}

// places are the three paths of a plugin below PLUGIN_PATH: what counts, and the two in which newer plugins look.
func places(path, name string) []string {
	return []string{filepath.Join(path, name), filepath.Join(path, "enabled", name), filepath.Join(path, "available", name)}
}

// find returns the plugin of that name.
func find(c *plug.C, name string) (*installed, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	path := c.Settings().PluginPath()
	p := &installed{Name: name}
	for i, dir := range places(path, name) {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			continue
		}
		if p.dir == "" {
			p.dir = dir
		}
		p.Enabled = p.Enabled || i == 0
	}
	if p.dir == "" {
		return nil, fmt.Errorf("cannot find plugin %q: it is not installed", name)
	}
	if real, err := filepath.EvalSymlinks(p.dir); err == nil {
		core, err := filepath.EvalSymlinks(c.Settings().CorePluginPath())
		p.Core = err == nil && strings.HasPrefix(real, core+"/")
	}
	p.describe()
	if p.Enabled {
		for _, h := range broken(p.dir, strings.Fields(hookNames)) {
			p.Broken = append(p.Broken, fmt.Sprintf("hook %s cannot be started: %s", h.Path, reason(h.Check())))
		}
	}
	return p, nil
}

// describe reads the plugin's plugin.toml; one of 2014 has none.
func (p *installed) describe() {
	var file struct {
		Plugin struct{ Description, Version string }
	}
	if _, err := toml.DecodeFile(filepath.Join(p.dir, "plugin.toml"), &file); err == nil {
		p.Version, p.Description = oneLine(file.Plugin.Version), oneLine(file.Plugin.Description)
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// all returns the plugins in the order of their names.
func all(c *plug.C) ([]*installed, error) {
	path := c.Settings().PluginPath()
	names := map[string]bool{}
	for _, dir := range []string{path, filepath.Join(path, "enabled"), filepath.Join(path, "available")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("cannot list the plugins: %w", err)
		}
		for _, e := range entries {
			names[e.Name()] = true
		}
	}
	var out []*installed
	for name := range names {
		if p, err := find(c, name); err == nil {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *installed) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func listVerb(_ context.Context, c *plug.C) error {
	asJSON := false
	switch {
	case len(c.Args) == 2 && c.Args[0] == "--format" && (c.Args[1] == "json" || c.Args[1] == "stdout"):
		asJSON = c.Args[1] == "json"
	case len(c.Args) > 0:
		return c.Usage("cannot list the plugins: too many words")
	}
	plugins, err := all(c)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(c.Stdout).Encode(plugins)
	}
	for _, p := range plugins {
		state := "disabled"
		if p.Enabled {
			state = "enabled"
		}
		fmt.Fprintln(c.Stdout, strings.TrimRight(fmt.Sprintf("  %-30s %-10s %-8s %s", p.Name, p.Version, state, p.Description), " "))
		for _, text := range p.Broken {
			c.Warn("%s", text)
		}
	}
	return nil
}

func installedVerb(_ context.Context, c *plug.C) error {
	if len(c.Args) != 1 {
		return c.Usage("cannot tell whether a plugin is installed: name one")
	}
	_, err := find(c, c.Args[0])
	return err
}

// triggerVerb fires a hook as the system user, as all that core fires.
func triggerVerb(ctx context.Context, c *plug.C) error {
	if len(c.Args) == 0 {
		return c.Usage("cannot fire a hook: name it")
	}
	return c.Runner.Broadcast(ctx, c.Stdin, c.Stdout, c.Stderr, c.Args[0], c.Args[1:]...)
}

// hook runs a hook of one plugin, if it has it.
func hook(ctx context.Context, c *plug.C, dir, name string) error {
	h := pluginhook.Hook{Plugin: filepath.Base(dir), Name: name, Dir: dir, Path: filepath.Join(dir, name)}
	if _, err := os.Stat(h.Path); err != nil {
		return nil
	}
	return c.Runner.Exec(ctx, &pluginhook.Call{Hook: name, Path: h.Path, Dir: dir, Env: c.Runner.Env, Stdout: c.Stdout, Stderr: c.Stderr, Runner: c.Runner})
}
