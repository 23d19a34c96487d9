// Package property keeps settings of one plugin for one app: a file per key, DOKKU_LIB_ROOT/config/PLUGIN/APP/KEY,
// without an end of line, which is where the shell functions of today's plugins keep them too (plugin-contract,
// section 6).
package property

import (
	"os"
	"path/filepath"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Global is the app name under which a property holds for every app that has no own value.
const Global = "--global"

func path(s settings.Settings, plugin, app, key string) string {
	return filepath.Join(s.LibRoot(), "config", plugin, app, key)
}

// Get returns the app's value of key, else the global one, else "".
func Get(s settings.Settings, plugin, app, key string) string {
	for _, name := range []string{app, Global} {
		if data, err := os.ReadFile(path(s, plugin, name, key)); err == nil {
			return string(data)
		}
	}
	return ""
}

// Set stores value for key; an empty value removes it.
func Set(s settings.Settings, plugin, app, key, value string) error {
	file := path(s, plugin, app, key)
	if value == "" {
		return record.Remove(file)
	}
	if err := record.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return record.Write(file, []byte(value), 0o600)
}

// Destroy removes all of the plugin's properties of the app of that name.
func Destroy(s settings.Settings, plugin, name string) error {
	// The name may come from anybody who triggers post-delete; without one, all apps' properties would go.
	if err := app.CheckName(name); err != nil {
		return err
	}
	return record.RemoveAll(filepath.Dir(path(s, plugin, name, "x")))
}
