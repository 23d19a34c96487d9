package dokkucmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	core "github.com/dokku-go/dokku/plugins-core"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// coreInstall lays the core plugins down and enables those that are new: one tree serves plugins of all times
// (plugin-contract, section 1). It is safe to run again; a plugin that somebody disabled stays disabled.
func coreInstall(args []string) int {
	if len(args) > 0 {
		return plug.Report(os.Stderr, "", &plug.UsageError{Text: "cannot install the core plugins: core-install takes no arguments"})
	}
	env, err := environment(os.Environ())
	if err == nil {
		err = layDown(settings.Settings{Env: env})
	}
	return plug.Report(os.Stderr, "", err)
}

func layDown(s settings.Settings) error {
	available := filepath.Join(s.CorePluginPath(), "available")
	plugins := s.PluginPath()
	for _, dir := range []string{available, filepath.Join(s.CorePluginPath(), "enabled"), filepath.Join(plugins, "available"), filepath.Join(plugins, "enabled")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot install the core plugins: %w", err)
		}
	}
	known := map[string]bool{}
	if entries, err := os.ReadDir(available); err == nil {
		for _, e := range entries {
			known[e.Name()] = true
		}
	}
	// The links come first: whoever is stopped before the end finds no directory of the plugin, and makes them again.
	for _, p := range core.All() {
		if known[p.Name] {
			continue // its links were made when it was new, and may have been removed on purpose since
		}
		target := filepath.Join(available, p.Name)
		for _, link := range []string{
			filepath.Join(s.CorePluginPath(), "enabled", p.Name),
			filepath.Join(plugins, "available", p.Name),
			filepath.Join(plugins, "enabled", p.Name),
			filepath.Join(plugins, p.Name),
		} {
			if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
				return fmt.Errorf("cannot enable plugin %q: %w", p.Name, err)
			}
		}
	}
	if err := core.WriteCompat(s); err != nil {
		return err
	}
	changed, err := core.Write(available)
	if err != nil {
		return err
	}
	if len(changed) == 0 {
		fmt.Println("-----> Core plugins are up to date")
	} else {
		fmt.Printf("-----> Installed %d core plugins\n", len(changed))
	}
	return nil
}
