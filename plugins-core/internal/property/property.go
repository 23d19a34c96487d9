// Package property keeps settings of one plugin for one app: a file per key, DOKKU_LIB_ROOT/config/PLUGIN/APP/KEY,
// without an end of line, which is where the shell functions of today's plugins keep them too (plugin-contract,
// section 6).
package property

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

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

// Own returns the app's own value of key; "" when it has none.
func Own(s settings.Settings, plugin, app, key string) (string, error) {
	data, err := os.ReadFile(path(s, plugin, app, key))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(data), err
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

// All returns the app's own values by key; those of all apps for [Global].
func All(s settings.Settings, plugin, app string) (map[string]string, error) {
	dir := filepath.Dir(path(s, plugin, app, "x"))
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the properties of %q: %w", app, err)
	}
	all := map[string]string{}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		value, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("cannot read the properties of %q: %w", app, err)
		}
		all[e.Name()] = string(value)
	}
	return all, nil
}

// Holders lists the apps whose own value of key is value.
func Holders(s settings.Settings, plugin, key, value string) ([]string, error) {
	apps, err := os.ReadDir(filepath.Dir(filepath.Dir(path(s, plugin, "x", "x"))))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the properties of the apps: %w", err)
	}
	var out []string
	for _, e := range apps {
		if !e.IsDir() {
			continue
		}
		own, err := Own(s, plugin, e.Name(), key)
		if err != nil {
			return nil, fmt.Errorf("cannot read the properties of %q: %w", e.Name(), err)
		}
		if own == value && value != "" && e.Name() != Global {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// Clone gives the app of name to the plugin's properties that the app of name from has, but for those of the keys in
// except: what they name belongs to the one app alone.
func Clone(s settings.Settings, plugin, from, to string, except ...string) error {
	if err := checkNames(from, to); err != nil {
		return err
	}
	all, err := All(s, plugin, from)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains(except, key) {
			continue
		}
		if err := Set(s, plugin, to, key, all[key]); err != nil {
			return err
		}
	}
	return nil
}

// Move has the properties follow an app from one name to another. It can be repeated.
func Move(s settings.Settings, plugin, from, to string) error {
	if err := checkNames(from, to); err != nil {
		return err
	}
	old, now := filepath.Dir(path(s, plugin, from, "x")), filepath.Dir(path(s, plugin, to, "x"))
	if _, err := os.Lstat(old); err != nil {
		return nil // it has none, or they have followed already
	}
	if err := record.RemoveAll(now); err != nil { // of an earlier app of that name
		return err
	}
	return record.Rename(old, now)
}

func checkNames(names ...string) error {
	for _, name := range names {
		if err := app.CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// Destroy removes all of the plugin's properties of the app of that name.
func Destroy(s settings.Settings, plugin, name string) error {
	// The name may come from anybody who triggers post-delete; without one, all apps' properties would go.
	if err := app.CheckName(name); err != nil {
		return err
	}
	return record.RemoveAll(filepath.Dir(path(s, plugin, name, "x")))
}
