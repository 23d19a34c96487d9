package builderpack

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// descriptor is what of a project.toml is heeded (the Project Descriptor of Cloud Native Buildpacks, schemas 0.1 and
// 0.2).
type descriptor struct {
	builder          string
	env              map[string]string
	include, exclude []string
	group            []buildpack
}

// buildpack is one that the builder image has.
type buildpack struct {
	ID      string `toml:"id" json:"id"`
	Version string `toml:"version" json:"version"`
}

// section is the table that is about builds: [io.buildpacks], or [build] in schema 0.1.
type section struct {
	Builder    string           `toml:"builder"`
	Include    []string         `toml:"include"`
	Exclude    []string         `toml:"exclude"`
	Group      []map[string]any `toml:"group"`
	Buildpacks []map[string]any `toml:"buildpacks"` // schema 0.1
	Pre        any              `toml:"pre"`
	Post       any              `toml:"post"`
	Env        []variable       `toml:"env"` // schema 0.1
	Build      struct {
		Env []variable `toml:"env"`
	} `toml:"build"`
}

type variable struct {
	Name  string `toml:"name"`
	Value string `toml:"value"`
}

// parseDescriptor reads a project.toml. What asks for something that is not done here is refused by its name, since a
// build without it would not be the one that was asked for; what is about other things is passed over.
func parseDescriptor(text string) (*descriptor, error) {
	var file struct {
		Build section `toml:"build"`
		IO    struct {
			Buildpacks section `toml:"buildpacks"`
		} `toml:"io"`
	}
	if _, err := toml.Decode(text, &file); err != nil {
		var where toml.ParseError
		if errors.As(err, &where) {
			return nil, fmt.Errorf("line %d: %s", where.Position.Line, where.Message)
		}
		return nil, err
	}
	d := &descriptor{env: map[string]string{}}
	for _, s := range []section{file.Build, file.IO.Buildpacks} {
		if err := d.add(s); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *descriptor) add(s section) error {
	if s.Pre != nil || s.Post != nil {
		return errors.New("io.buildpacks.pre and io.buildpacks.post are not supported: list all buildpacks as io.buildpacks.group")
	}
	if s.Builder != "" {
		d.builder = s.Builder
	}
	d.include, d.exclude = append(d.include, s.Include...), append(d.exclude, s.Exclude...)
	for _, v := range slices.Concat(s.Env, s.Build.Env) {
		if !validName(v.Name) || strings.IndexByte(v.Value, 0) >= 0 {
			return fmt.Errorf("%q is no name of a variable, or its value has a null byte", v.Name)
		}
		d.env[v.Name] = v.Value
	}
	for _, entry := range slices.Concat(s.Buildpacks, s.Group) {
		for _, key := range []string{"script", "uri"} {
			if _, ok := entry[key]; ok {
				return fmt.Errorf("a buildpack with %q is not supported: name one that the builder image has, by id and version", key)
			}
		}
		id, _ := entry["id"].(string)
		version, _ := entry["version"].(string)
		if id == "" {
			return errors.New("a buildpack has no id")
		}
		d.group = append(d.group, buildpack{ID: id, Version: version})
	}
	return nil
}

// validName tells whether s is the name of a variable, and so of a file.
func validName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && len(s) < 256
}

// ignored are the patterns, in the form of a .dockerignore file, of what does not get into the build. project.toml has
// those of a .gitignore file.
func (d *descriptor) ignored() ([]string, error) {
	if len(d.include) > 0 && len(d.exclude) > 0 {
		return nil, errors.New("give include or exclude, not both")
	}
	var out []string
	for _, p := range d.exclude {
		out = append(out, ignorePattern(p)...)
	}
	if len(d.include) > 0 {
		out = append(out, "**")
	}
	for _, p := range d.include {
		for _, q := range ignorePattern(p) {
			if rest, ok := strings.CutPrefix(q, "!"); ok {
				out = append(out, rest)
			} else {
				out = append(out, "!"+q)
			}
		}
	}
	return out, nil
}

// ignorePattern is a pattern of .gitignore in the other form: one without a slash is about all directories.
func ignorePattern(p string) []string {
	p = strings.TrimSpace(p)
	not := ""
	if rest, ok := strings.CutPrefix(p, "!"); ok {
		not, p = "!", rest
	}
	p = strings.TrimSuffix(p, "/")
	switch {
	case p == "" || strings.HasPrefix(p, "#"):
		return nil
	case strings.Contains(p, "/"):
		return []string{not + strings.TrimPrefix(p, "/")}
	}
	return []string{not + "**/" + p}
}
