package buildstep

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
)

// releaseInfo is what a buildpack's bin/release prints.
type releaseInfo struct {
	ConfigVars          map[string]string `yaml:"config_vars"`
	DefaultProcessTypes map[string]string `yaml:"default_process_types"`
}

// release asks the buildpack for the app's defaults and keeps them for /start.
func (b *builder) release(pack, name string) error {
	b.say("-----> Discovering process types")
	var info releaseInfo
	var out bytes.Buffer
	if _, err := os.Stat(filepath.Join(pack, "bin/release")); err == nil {
		if err := b.script(pack, "release", &out, appDir); err != nil {
			return fmt.Errorf("cannot build: the buildpack's release failed: %w", err)
		}
		if err := yaml.Unmarshal(out.Bytes(), &info); err != nil {
			return fmt.Errorf("cannot read what the buildpack's release printed: %w", err)
		}
	}
	if err := os.WriteFile(releaseFile, out.Bytes(), 0o644); err != nil {
		return err
	}
	types, err := readProcfile()
	if err != nil {
		return err
	}
	if types != nil {
		b.say("       Procfile declares types -> %s", strings.Join(slices.Sorted(maps.Keys(types)), ", "))
	}
	if len(info.DefaultProcessTypes) > 0 {
		b.say("       Default process types for %s -> %s", name, strings.Join(slices.Sorted(maps.Keys(info.DefaultProcessTypes)), ", "))
	}
	// Plugins of 2014 put files there when the image is built.
	if err := os.MkdirAll(profileDir, 0o755); err != nil || len(info.ConfigVars) == 0 {
		return err
	}
	return os.WriteFile(profileDir+"/00_config_vars.sh", []byte(envfile.Format(info.ConfigVars)), 0o644)
}

// readProcfile returns the commands of the app's Procfile by process type; nil when it has none.
func readProcfile() (map[string]string, error) {
	st, err := os.Lstat(appDir + "/Procfile")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("cannot read the Procfile: it is not a regular file")
	}
	data, err := os.ReadFile(appDir + "/Procfile")
	if err != nil {
		return nil, err
	}
	return ParseProcfile(string(data))
}

// ParseProcfile reads lines `type: command`; "#" begins a comment line, and ends of line may be those of Windows.
func ParseProcfile(text string) (map[string]string, error) {
	types := map[string]string{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		name, command, ok := strings.Cut(line, ":")
		name, command = strings.TrimSpace(name), strings.TrimSpace(command)
		if !ok || !scale.ValidType(name) || command == "" || strings.IndexByte(command, 0) >= 0 {
			return nil, fmt.Errorf("cannot read the Procfile: line %d is not of the form TYPE: COMMAND", n)
		}
		types[name] = command
	}
	return types, nil
}

// command returns the command line of a process type: the Procfile's, or, without a Procfile, the buildpack's default.
func command(kind string) (string, error) {
	types, err := readProcfile()
	if err != nil {
		return "", err
	}
	if types == nil {
		var info releaseInfo
		data, err := os.ReadFile(releaseFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err := yaml.Unmarshal(data, &info); err != nil {
			return "", fmt.Errorf("cannot read %s: %w", releaseFile, err)
		}
		types = info.DefaultProcessTypes
	}
	if cmd, ok := types[kind]; ok {
		return cmd, nil
	}
	others := "and no other"
	if len(types) > 0 {
		others = "only: " + strings.Join(slices.Sorted(maps.Keys(types)), ", ")
	}
	return "", fmt.Errorf("cannot start %q: the app has no such process type, %s", kind, others)
}
