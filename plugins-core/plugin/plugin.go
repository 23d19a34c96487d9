// Package plugin is the plugin that shows and installs plugins.
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

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "plugin",
		Description: "shows and installs plugins",
		Hooks:       map[string]plug.Hook{"doctor-check": plug.Diagnose([]string{"plugins", "keys"}, diagnose)},
		Commands: []plug.Command{
			{Name: "plugins", Help: "Print active plugins", Run: list},
			{Name: "plugins-install", Help: "Install active plugins", Root: true, Run: install},
			{Name: "plugins-install-dependencies", Help: "Install what active plugins depend on", Root: true, Run: dependencies, Aliases: []string{"plugin:install-dependencies"}},
			{Name: "plugins-update", Help: "Run the update hooks of active plugins", Root: true, Run: updateAll},
			{Name: "plugin:list", Args: "[--format json]", Help: "List the plugins, with what is wrong with them", Run: listVerb},
			{Name: "plugin:install", Args: "[SOURCE] [--committish REVISION] [--name NAME] [--skip-install-trigger]", Help: "Fetch and install a plugin", Root: true, Run: installVerb},
			{Name: "plugin:installed", Args: "NAME", Help: "Tell by the status whether a plugin is installed", Run: installedVerb},
			{Name: "plugin:enable", Args: "NAME", Help: "Switch a plugin on", Root: true, Run: enableVerb},
			{Name: "plugin:disable", Args: "NAME", Help: "Switch a plugin off", Root: true, Run: disableVerb},
			{Name: "plugin:update", Args: "[NAME [REVISION]]", Help: "Fetch what is new of one or all plugins", Root: true, Run: updateVerb},
			{Name: "plugin:uninstall", Args: "NAME", Help: "Remove a plugin", Root: true, Run: uninstallVerb},
			{Name: "plugin:trigger", Raw: true, Args: "HOOK [ARG ...]", Help: "Run a hook of all plugins", Run: triggerVerb},
		},
	}
}

// dirs returns the directories of the active plugins in the order in which they run.
func dirs(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("cannot list the plugins: %w", err)
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || name == "available" || name == "enabled" {
			continue
		}
		dir := filepath.Join(path, name)
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			out = append(out, dir)
		}
	}
	return out, nil
}

func list(_ context.Context, c *plug.C) error {
	plugins, err := dirs(c.Settings().PluginPath())
	for _, dir := range plugins {
		fmt.Fprintln(c.Stdout, dir+"/")
	}
	return err
}

func needRoot(c *plug.C) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("cannot run %s: it has to run as root", c.Verb())
	}
	return nil
}

// install runs every plugin's install hook, after linking plugins that were put into enabled by hand or by a tool.
func install(ctx context.Context, c *plug.C) error {
	if err := needRoot(c); err != nil {
		return err
	}
	if err := adopt(c.Settings().PluginPath()); err != nil {
		return err
	}
	return c.Trigger(ctx, "install")
}

func dependencies(ctx context.Context, c *plug.C) error {
	if err := needRoot(c); err != nil {
		return err
	}
	return c.Trigger(ctx, "dependencies")
}

// adopt makes one tree of the layouts of old and new: a plugin enabled by a link in enabled/ is linked in the plugin
// path itself too.
func adopt(path string) error {
	enabled, err := os.ReadDir(filepath.Join(path, "enabled"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range enabled {
		link := filepath.Join(path, e.Name())
		if _, err := os.Lstat(link); err == nil {
			continue
		}
		if err := record.Symlink(filepath.Join("enabled", e.Name()), link); err != nil {
			return err
		}
	}
	return nil
}
