// Package core is the list of the core plugins, and the one writer of the files that stand for them in a plugin
// directory.
//
//go:generate go run ./gen
package core

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/apps"
	"github.com/dokku-go/dokku/plugins-core/backup"
	"github.com/dokku-go/dokku/plugins-core/builder"
	builderdockerfile "github.com/dokku-go/dokku/plugins-core/builder-dockerfile"
	builderherokuish "github.com/dokku-go/dokku/plugins-core/builder-herokuish"
	builderpack "github.com/dokku-go/dokku/plugins-core/builder-pack"
	"github.com/dokku-go/dokku/plugins-core/buildpacks"
	"github.com/dokku-go/dokku/plugins-core/certs"
	"github.com/dokku-go/dokku/plugins-core/checks"
	"github.com/dokku-go/dokku/plugins-core/config"
	dockeroptions "github.com/dokku-go/dokku/plugins-core/docker-options"
	"github.com/dokku-go/dokku/plugins-core/doctor"
	"github.com/dokku-go/dokku/plugins-core/domains"
	"github.com/dokku-go/dokku/plugins-core/git"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/logs"
	nginxvhosts "github.com/dokku-go/dokku/plugins-core/nginx-vhosts"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/plugin"
	"github.com/dokku-go/dokku/plugins-core/ports"
	"github.com/dokku-go/dokku/plugins-core/proxy"
	"github.com/dokku-go/dokku/plugins-core/ps"
	"github.com/dokku-go/dokku/plugins-core/releases"
	"github.com/dokku-go/dokku/plugins-core/run"
	"github.com/dokku-go/dokku/plugins-core/scheduler"
	schedulerdockerlocal "github.com/dokku-go/dokku/plugins-core/scheduler-docker-local"
	"github.com/dokku-go/dokku/plugins-core/stack"
	"github.com/dokku-go/dokku/plugins-core/standard"
	"github.com/dokku-go/dokku/plugins-core/storage"
	"github.com/dokku-go/dokku/plugins-core/tags"
)

// All returns the core plugins in the order of their directories' names.
func All() []*plug.Plugin {
	return []*plug.Plugin{
		apps.Plugin(),
		backup.Plugin(),
		builder.Plugin(),
		builderdockerfile.Plugin(),
		builderherokuish.Plugin(),
		builderpack.Plugin(),
		buildpacks.Plugin(),
		certs.Plugin(),
		checks.Plugin(),
		library("common", "shell functions for plugins"),
		config.Plugin(),
		dockeroptions.Plugin(),
		doctor.Plugin(),
		domains.Plugin(),
		git.Plugin(),
		logs.Plugin(),
		nginxvhosts.Plugin(),
		plugin.Plugin(),
		ports.Plugin(),
		proxy.Plugin(),
		ps.Plugin(),
		releases.Plugin(),
		run.Plugin(),
		scheduler.Plugin(),
		schedulerdockerlocal.Plugin(),
		stack.Plugin(),
		standard.Plugin(),
		storage.Plugin(),
		tags.Plugin(),
	}
}

// libraries are the files with shell functions that plugins source (plugin-contract, section 6).
//
//go:embed */functions common/property-functions nginx-vhosts/internal-functions
var libraries embed.FS

// library is a plugin that is there for its shell functions only.
func library(name, description string) *plug.Plugin {
	return &plug.Plugin{Name: name, Description: description}
}

// Lookup returns the core plugin of that name, or nil.
func Lookup(name string) *plug.Plugin {
	for _, p := range All() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Owner returns the core plugin that has the verb, and its row; nil when none has.
func Owner(verb string) (*plug.Plugin, *plug.Command) {
	for _, p := range All() {
		if cmd := p.Command(verb); cmd != nil {
			return p, cmd
		}
	}
	return nil, nil
}

// Write lays the core plugins down under dir, a directory each, and returns the names of those whose files it had to
// change. A stub that is not a core plugin's any more is removed; other files are left alone.
func Write(dir string) (changed []string, err error) {
	for _, p := range All() {
		files := Files(p)
		did, err := writePlugin(filepath.Join(dir, p.Name), p, files)
		if err != nil {
			return changed, fmt.Errorf("cannot write plugin %q: %w", p.Name, err)
		}
		if did {
			changed = append(changed, p.Name)
		}
	}
	return changed, nil
}

// Files returns the files of a core plugin by name.
func Files(p *plug.Plugin) map[string]string {
	files := map[string]string{"plugin.toml": fmt.Sprintf(
		"[plugin]\ndescription = %q\nversion = \"0.1.0\"\n[plugin.config]\n", p.Description)}
	for _, hook := range p.HookNames() {
		files[hook] = plug.Stub(p.Name)
	}
	for _, name := range []string{"functions", "internal-functions", "property-functions"} {
		if text, err := libraries.ReadFile(p.Name + "/" + name); err == nil {
			files[name] = string(text)
		}
	}
	return files
}

func writePlugin(dir string, p *plug.Plugin, files map[string]string) (changed bool, err error) {
	if err := record.MkdirAll(dir, 0o755); err != nil {
		return false, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if _, keep := files[e.Name()]; keep || !e.Type().IsRegular() {
			continue
		}
		if data, err := os.ReadFile(path); err == nil && string(data) == plug.Stub(p.Name) {
			if err := record.Remove(path); err != nil {
				return changed, err
			}
			changed = true
		}
	}
	for name, text := range files {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		did, err := plug.WriteFile(filepath.Join(dir, name), text, mode)
		if err != nil {
			return changed, err
		}
		changed = changed || did
	}
	return changed, nil
}
