package builderpack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
)

func TestParseDescriptor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want, err string }{
		{"", "  map[] [] [] []", ""},
		{"[_]\nschema-version = \"0.2\"\n[project]\nname = \"x\"\n", "  map[] [] [] []", ""},
		{"[io.buildpacks]\nbuilder = \"b\"\nexclude = [\"x\"]\n", " b map[] [] [x] []", ""},
		{"[build]\nbuilder = \"b\"\ninclude = [\"x\"]\n[[build.env]]\nname = \"A\"\nvalue = \"1\"\n", " b map[A:1] [x] [] []", ""},
		{"[[io.buildpacks.build.env]]\nname = \"A\"\nvalue = \"a\\nb\"\n", "  map[A:a\nb] [] [] []", ""},
		{"[[io.buildpacks.group]]\nid = \"a/b\"\nversion = \"1\"\n[[io.buildpacks.group]]\nid = \"c\"\n", "  map[] [] [] [{a/b 1} {c }]", ""},
		{"[[build.buildpacks]]\nid = \"a\"\n", "  map[] [] [] [{a }]", ""},
		{"[[io.buildpacks.group]]\nuri = \"https://x\"\n", "", `"uri" is not supported`},
		{"[[io.buildpacks.group]]\nid = \"a\"\n[io.buildpacks.group.script]\napi = \"0.1\"\n", "", `"script" is not supported`},
		{"[[io.buildpacks.group]]\nversion = \"1\"\n", "", "no id"},
		{"[[io.buildpacks.pre.group]]\nid = \"a\"\n", "", "io.buildpacks.pre"},
		{"[[io.buildpacks.build.env]]\nname = \"../A\"\nvalue = \"1\"\n", "", "no name of a variable"},
		{"[[io.buildpacks.build.env]]\nname = \"\"\nvalue = \"1\"\n", "", "no name of a variable"},
		{"[[io.buildpacks.build.env]]\nname = \"1A\"\nvalue = \"1\"\n", "", "no name of a variable"},
		{"[[io.buildpacks.build.env]]\nname = \"A\"\nvalue = \"\\u0000\"\n", "", "null byte"},
		{"io = 1\n", "", ""},
		{"[io\n", "", "line 2"},
		{"[io.buildpacks]\nexclude = \"x\"\n", "", ""},
	} {
		d, err := parseDescriptor(c.text)
		if c.want == "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: got %v, want %q", c.text, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if got := fmt.Sprintf(" %s %v %v %v %v", d.builder, d.env, d.include, d.exclude, d.group); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

// TestIgnored looks at what the patterns of a project.toml leave out of a tree.
func TestIgnored(t *testing.T) {
	t.Parallel()
	files := []string{"a.md", "src/a.md", "src/main.py", "docs/x", "sub/docs/x", "top"}
	for _, c := range []struct {
		include, exclude []string
		want             string // what is left
	}{
		{nil, nil, "a.md src/a.md src/main.py docs/x sub/docs/x top"},
		{nil, []string{"*.md"}, "src/main.py docs/x sub/docs/x top"},
		{nil, []string{"/a.md"}, "src/a.md src/main.py docs/x sub/docs/x top"},
		{nil, []string{"docs/"}, "a.md src/a.md src/main.py top"},
		{nil, []string{"/docs/", "", "# top"}, "a.md src/a.md src/main.py sub/docs/x top"},
		{nil, []string{"*.md", "!src/a.md"}, "src/a.md src/main.py docs/x sub/docs/x top"},
		{[]string{"src/"}, nil, "src/a.md src/main.py"},
		{[]string{"src/", "!*.md"}, nil, "src/main.py"},
		{[]string{"*.py", "/top"}, nil, "src/main.py top"},
	} {
		patterns, err := (&descriptor{include: c.include, exclude: c.exclude}).ignored()
		if err != nil {
			t.Fatal(err)
		}
		m, err := patternmatcher.New(patterns)
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, file := range files {
			out, err := m.MatchesOrParentMatches(file)
			if err != nil {
				t.Fatal(err)
			}
			if !out {
				left = append(left, file)
			}
		}
		if got := strings.Join(left, " "); got != c.want {
			t.Errorf("%q, %q: got %s, want %s", c.include, c.exclude, got, c.want)
		}
	}
	if _, err := (&descriptor{include: []string{"a"}, exclude: []string{"b"}}).ignored(); err == nil {
		t.Error("both are taken")
	}
}

// FuzzDescriptor makes sure that no project.toml makes us fail, or gets a name out that is no variable's.
func FuzzDescriptor(f *testing.F) {
	f.Add("[io.buildpacks]\nbuilder = \"b\"\nexclude = [\"!x/\"]\n[[io.buildpacks.build.env]]\nname = \"A\"\nvalue = \"1\"\n[[io.buildpacks.group]]\nid = \"a\"\n")
	f.Add("[build]\ninclude = [\"x\", \"\"]\n[[build.env]]\nname = \"A\"\n[[build.buildpacks]]\nuri = \"x\"\n")
	f.Add("[_]\nschema-version = 0.2\n[io.buildpacks.pre]\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDescriptor(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: the error has more than one line: %v", text, err)
			}
			return
		}
		for name := range d.env {
			if strings.ContainsAny(name, "/=.\x00") || name == "" {
				t.Errorf("%q: the variable %q", text, name)
			}
		}
		if patterns, err := d.ignored(); err == nil {
			_, _ = patternmatcher.New(patterns)
		}
		if order, err := (&toolbox{}).order(d); err == nil && order != "" {
			t.Errorf("%q: an order of buildpacks that nobody has: %s", text, order)
		}
	})
}
