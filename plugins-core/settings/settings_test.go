package settings_test

import (
	"slices"
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	env := []string{"A=1", "AB=2", "B=", "A=3", "C", "D==x"}
	for key, want := range map[string]string{"A": "3", "AB": "2", "B": "", "D": "=x"} {
		if got, ok := settings.Lookup(env, key); !ok || got != want {
			t.Errorf("Lookup(%q): got %q, %v, want %q", key, got, ok, want)
		}
	}
	for _, key := range []string{"C", "E", ""} {
		if got, ok := settings.Lookup(env, key); ok {
			t.Errorf("Lookup(%q): got %q, want none", key, got)
		}
	}
	before := slices.Clone(env)
	if got, want := settings.Set(env, "A", "9"), []string{"AB=2", "B=", "C", "D==x", "A=9"}; !slices.Equal(got, want) {
		t.Errorf("Set: got %q, want %q", got, want)
	}
	if got, want := settings.Unset(env, "AB"), []string{"A=1", "B=", "A=3", "C", "D==x"}; !slices.Equal(got, want) {
		t.Errorf("Unset: got %q, want %q", got, want)
	}
	if !slices.Equal(env, before) {
		t.Errorf("got %q: the argument was changed", env)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	none := settings.Settings{}
	own := settings.Settings{Env: []string{"DOKKU_ROOT=/r", "DOKKU_LIB_ROOT=/l", "DOKKU_SYSTEM_USER=u", "DOKKU_IMAGE=i:1"}}
	for _, c := range []struct{ what, got, want string }{
		{"root", none.Root(), "/home/dokku"},
		{"library", none.LibRoot(), "/var/lib/dokku"},
		{"plugins", none.PluginPath(), "/var/lib/dokku/plugins"},
		{"core plugins", none.CorePluginPath(), "/var/lib/dokku/core-plugins"},
		{"data", none.Data("git"), "/var/lib/dokku/data/git"},
		{"user", none.User(), "dokku"},
		{"group", none.Group(), "dokku"},
		{"stack", none.StackImage(), "dokku/stack:latest"},
		{"own root", own.Root(), "/r"},
		{"own plugins", own.PluginPath(), "/l/plugins"},
		{"own core plugins", own.CorePluginPath(), "/l/core-plugins"},
		{"own data", own.Data("git"), "/l/data/git"},
		{"own group", own.Group(), "u"},
		{"own stack", own.StackImage(), "i:1"},
		{"empty", settings.Settings{Env: []string{"DOKKU_ROOT="}}.Root(), "/home/dokku"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                     {"default", "words"},
		"nginx -s reload":      {"nginx", "-s", "reload"},
		"'/a b/nginx' -c \"\"": {"/a b/nginx", "-c", ""},
		"sudo $X":              {"sudo", "$X"},
	} {
		s := settings.Settings{Env: []string{"KEY=" + text}}
		if got, err := s.Command("KEY", "default words"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"  ":   `cannot use KEY="  " as a command: it has no words`,
		"a 'b": `cannot use KEY="a 'b" as a command: Unterminated single-quoted string`,
	} {
		if got, err := (settings.Settings{Env: []string{"KEY=" + text}}).Command("KEY", "x"); err == nil || err.Error() != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": 7 * time.Second, "0": 0, "60": time.Minute, "9000000000": 9e9 * time.Second} {
		s := settings.Settings{Env: []string{"KEY=" + text}}
		if got, err := s.Seconds("KEY", 7); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "-1", "1.5", "1s", " 1", "99999999999999999999", "10000000000"} {
		s := settings.Settings{Env: []string{"KEY=" + text}}
		if got, err := s.Seconds("KEY", 7); err == nil || got != 0 {
			t.Errorf("%q: got %v, %v, want an error", text, got, err)
		}
	}
	for text, want := range map[string]bool{"": false, "0": false, "false": false, "1": true, "true": true, "yes": true, "00": true} {
		if got := (settings.Settings{Env: []string{"KEY=" + text}}).On("KEY"); got != want {
			t.Errorf("On %q: got %v, want %v", text, got, want)
		}
	}
}

// TestStackRef reads names of stacks as people give them.
func TestStackRef(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"latest": "dokku/stack:latest", "heavy": "dokku/stack:heavy", "buildstep": "progrium/buildstep:latest",
		"a/b": "a/b:latest", "a/b:c": "a/b:c", "b:c": "b:c", "host:5000/b": "host:5000/b:latest", "host:5000/b:c": "host:5000/b:c",
		"gliderlabs/herokuish": "gliderlabs/herokuish:latest", "a@sha256:x": "a@sha256:x"} {
		if got := settings.StackRef(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	set := settings.Settings{Env: []string{"DOKKU_IMAGE=heavy"}}
	if got := set.StackImage(); got != "dokku/stack:heavy" {
		t.Errorf("got %q", got)
	}
}
