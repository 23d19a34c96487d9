package dokkucmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
	core "github.com/dokku-go/dokku/plugins-core"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

func TestGlobalFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ words, rest, env string }{
		{"", "", "DOKKU_GLOBAL_FLAGS="},
		{"apps:list", "apps:list", "DOKKU_GLOBAL_FLAGS="},
		{"--quiet apps", "apps", "DOKKU_QUIET_OUTPUT=1 DOKKU_GLOBAL_FLAGS=--quiet"},
		{"--trace", "", "DOKKU_TRACE=1 DOKKU_GLOBAL_FLAGS=--trace"},
		{"--force delete x", "delete x", "DOKKU_APPS_FORCE_DELETE=1 DOKKU_GLOBAL_FLAGS=--force"},
		{"--rm run x", "run x", "DOKKU_RM_CONTAINER=1 DOKKU_GLOBAL_FLAGS=--rm"},
		{"--app x url", "url", "DOKKU_APP_NAME=x DOKKU_GLOBAL_FLAGS=--app"},
		{"--app=x url", "url", "DOKKU_APP_NAME=x DOKKU_GLOBAL_FLAGS=--app"},
		{"--app --force url", "url", "DOKKU_APP_NAME=--force DOKKU_GLOBAL_FLAGS=--app"},
		{"--version", "--version", "DOKKU_GLOBAL_FLAGS=--version"},
		{"--quiet --help", "--help", "DOKKU_QUIET_OUTPUT=1 DOKKU_GLOBAL_FLAGS=--quiet|--help"},
		{"run x ls --all -l", "run x ls --all -l", "DOKKU_GLOBAL_FLAGS=--all"},
		{"pg:link --no-restart db x", "pg:link --no-restart db x", "DOKKU_GLOBAL_FLAGS=--no-restart"},
		{"-rf", "-rf", "DOKKU_GLOBAL_FLAGS="},
		{"- x", "- x", "DOKKU_GLOBAL_FLAGS="},
	} {
		rest, env, err := globalFlags(strings.Fields(c.words), nil)
		var want []string
		for word := range strings.FieldsSeq(c.env) {
			want = append(want, strings.ReplaceAll(word, "|", " "))
		}
		if err != nil || strings.Join(rest, " ") != c.rest || !slices.Equal(env, want) {
			t.Errorf("%q: got %q, %q, %v, want %q, %q", c.words, rest, env, err, c.rest, want)
		}
	}
	for _, words := range []string{"--app", "--", "--nonsense apps", "--app= url", "--quiet=1 url", "--quiet --"} {
		_, _, err := globalFlags(strings.Fields(words), nil)
		if _, ok := err.(*plug.UsageError); !ok {
			t.Errorf("%q: got %v, want an error of usage", words, err)
		}
	}
	// A command that a hook starts.
	if _, env, err := globalFlags([]string{"apps"}, []string{"DOKKU_GLOBAL_FLAGS=--no-restart"}); err != nil || !slices.Equal(env, []string{"DOKKU_GLOBAL_FLAGS=--no-restart"}) {
		t.Errorf("got %q, %v", env, err)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string]string{"config:sett": "config:set", "conifg": "config", "app:list": "apps:list", "ur": "url", "logs2": "logs",
		"": "", "-": "", "=": "", "x": "", "zz": "", "something-else-altogether": "", strings.Repeat("x", 10_000): "", "\xff": ""} {
		if got := nearest(verb); got != want {
			t.Errorf("nearest(%.20q): got %q, want %q", verb, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"ab", "ba", 2}, {"flaw", "lawn", 2}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != c.want {
			t.Errorf("distance(%q, %q): got %d, want %d", c.a, c.b, got, c.want)
		}
	}
	want := "`appz:list` is not a dokku command.\nDid you mean `apps:list`?\nSee `dokku help` for a list of available commands."
	if got := unknown("appz:list").Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := unknown("").Error(); strings.Contains(got, "Did you mean") {
		t.Errorf("an empty word: got %q", got)
	}
}

func TestSplitPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][2]string{"/p/apps/commands": {"/p/apps", "commands"}, "apps/x": {"apps", "x"}, "x": {".", "x"}, "/x": {"", "x"}, "a/": {"a", ""}} {
		if dir, base := splitPath(path); dir != want[0] || base != want[1] {
			t.Errorf("%q: got %q, %q, want %q", path, dir, base, want)
		}
	}
}

func TestNeedsRoot(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string]bool{"plugins-install": true, "plugins-install-dependencies": true, "plugin:install": true, "ssh-keys:add": true,
		"apps": false, "plugins": false, "config:show": false, "nonsense": false, "": false} {
		if got := needsRoot([]string{verb, "x"}); got != want {
			t.Errorf("%q: got %v, want %v", verb, got, want)
		}
	}
	if needsRoot(nil) {
		t.Error("no words need root")
	}
}

// TestCoreCommand finds the file of a verb, resolves aliases only then, and leaves verbs of disabled plugins to others.
func TestCoreCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := core.Write(dir); err != nil {
		t.Fatal(err)
	}
	r := &pluginhook.Runner{Path: dir + "/"}
	for verb, want := range map[string]string{"config": "config", "config:show": "config", "--version": "version", "-v": "version"} {
		words := []string{verb, "x"}
		h, ok := coreCommand(r, words)
		if !ok || words[0] != want || !strings.HasPrefix(h.Path, dir+"/") || h.Path != h.Dir+"/commands" {
			t.Errorf("%s: got %v, %v, %q, want the verb %s", verb, h, ok, words, want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "config/commands")); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"config:show", "nonsense", ""} {
		words := []string{verb}
		if h, ok := coreCommand(r, words); ok || words[0] != verb {
			t.Errorf("%s: got %v, %q, want it left to other plugins", verb, h, words)
		}
	}
}

// TestLayDown installs the core plugins, again, after a plugin was disabled, and after an end in the middle.
func TestLayDown(t *testing.T) {
	t.Parallel()
	lib := t.TempDir()
	s := settings.Settings{Env: []string{settings.LibRoot + "=" + lib}}
	link := filepath.Join(lib, "plugins/apps")
	install := func() {
		t.Helper()
		if err := layDown(s); err != nil {
			t.Fatal(err)
		}
	}
	install()
	for _, p := range core.All() {
		for _, dir := range []string{"core-plugins/enabled", "plugins/available", "plugins/enabled", "plugins"} {
			if st, err := os.Stat(filepath.Join(lib, dir, p.Name)); err != nil || !st.IsDir() {
				t.Errorf("%s in %s: %v", p.Name, dir, err)
			}
		}
	}
	if hooks, err := pluginhook.Find(filepath.Join(lib, "plugins"), "commands"); err != nil || len(hooks) < 8 {
		t.Errorf("got hooks %v, %v", hooks, err)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	install()
	if _, err := os.Lstat(link); !os.IsNotExist(err) {
		t.Errorf("a plugin that was disabled is enabled again: %v", err)
	}
	// As if the installation had been stopped when it came to this plugin.
	if err := os.RemoveAll(filepath.Join(lib, "core-plugins/available/apps")); err != nil {
		t.Fatal(err)
	}
	install()
	if st, err := os.Stat(link); err != nil || !st.IsDir() {
		t.Errorf("a plugin whose installation was stopped is not enabled: %v", err)
	}
}
