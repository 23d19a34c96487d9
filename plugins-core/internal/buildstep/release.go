package buildstep

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
)

// Release is what a buildpack's bin/release prints, in YAML. Addons, which it may ask for too, are other plugins' thing.
type Release struct {
	ConfigVars          map[string]string
	DefaultProcessTypes map[string]string
}

// ParseRelease reads the output of bin/release. Nothing, and an empty document, say nothing.
func ParseRelease(text []byte) (Release, error) {
	var doc struct {
		ConfigVars          map[string]scalar `yaml:"config_vars"`
		DefaultProcessTypes map[string]scalar `yaml:"default_process_types"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return Release{}, err
	}
	r := Release{ConfigVars: map[string]string{}, DefaultProcessTypes: map[string]string{}}
	for key, value := range doc.ConfigVars {
		if !envfile.ValidKey(key) || strings.ContainsRune(string(value), 0) {
			return Release{}, fmt.Errorf("config_vars has %q, which cannot be a variable", key)
		}
		r.ConfigVars[key] = string(value)
	}
	for kind, value := range doc.DefaultProcessTypes {
		line := strings.TrimSpace(string(value))
		if !scale.ValidType(kind) || line == "" || strings.ContainsRune(line, 0) {
			return Release{}, fmt.Errorf("default_process_types has %q, which cannot be a process type with a command", kind)
		}
		r.DefaultProcessTypes[kind] = line
	}
	return r, nil
}

// scalar is a value as it is written: 1.10 is not 1.1.
type scalar string

// UnmarshalYAML takes the text of a scalar, whatever kind of value YAML sees in it.
func (s *scalar) UnmarshalYAML(node *yaml.Node) error {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want a text, a number, true or false", node.Line)
	}
	if node.Tag != "!!null" {
		*s = scalar(node.Value)
	}
	return nil
}

// release asks the buildpack for the app's defaults and keeps them for /start.
func (b *builder) release(p *pack) error {
	b.say("-----> Discovering process types")
	text := ""
	if has(p, "release") {
		var err error
		if text, err = b.ask(p, "release", appDir); err != nil {
			return fmt.Errorf("cannot build: bin/release of the buildpack for %s failed: %w", p.name, err)
		}
	}
	info, err := ParseRelease([]byte(text))
	if err != nil {
		return fmt.Errorf("cannot read what bin/release of the buildpack for %s prints: %w", p.name, err)
	}
	if err := replaceFile(releaseFile, text); err != nil {
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
		b.say("       Default process types for %s -> %s", p.name, strings.Join(slices.Sorted(maps.Keys(info.DefaultProcessTypes)), ", "))
	}
	// Plugins of 2014 put files there when the image is built.
	if err := os.MkdirAll(profileDir, 0o755); err != nil || len(info.ConfigVars) == 0 {
		return err
	}
	return replaceFile(profileDir+"/00_config_vars.sh", profileText(info.ConfigVars))
}

// replaceFile writes a file anew, so that a link of that name in the tree leads nowhere.
func replaceFile(file, text string) error {
	if err := os.RemoveAll(file); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

// profileText is shell text that sets the variables of a release. They are defaults, which the app's own win over. Only
// PATH, which every container has, is the release's.
func profileText(vars map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		if key != "PATH" {
			fmt.Fprintf(&b, "[ -n \"${%s+x}\" ] || ", key)
		}
		fmt.Fprintf(&b, "export %s=%s\n", key, envfile.Quote(vars[key]))
	}
	return b.String()
}
