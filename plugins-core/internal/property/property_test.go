package property_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	lib := t.TempDir()
	s := settings.Settings{Env: []string{settings.LibRoot + "=" + lib}}
	get := func(app, want string) {
		t.Helper()
		if got := property.Get(s, "git", app, "deploy-branch"); got != want {
			t.Errorf("%s: got %q, want %q", app, got, want)
		}
	}
	set := func(app, value string) {
		t.Helper()
		if err := property.Set(s, "git", app, "deploy-branch", value); err != nil {
			t.Fatal(err)
		}
	}
	get("one", "")
	set(property.Global, "everywhere")
	get("one", "everywhere")
	set("one", "main")
	set("two", "two\nlines ")
	get("one", "main")
	get("two", "two\nlines ")
	if got := property.Get(s, "other", "one", "deploy-branch"); got != "" {
		t.Errorf("another plugin's: got %q", got)
	}
	file := filepath.Join(lib, "config/git/one/deploy-branch")
	if data, err := os.ReadFile(file); err != nil || string(data) != "main" {
		t.Errorf("got %q, %v: the shell functions of plugins look for the value there", data, err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", st.Mode(), err)
	}
	set("one", "")
	get("one", "everywhere")
	set("one", "")
	set("one", "again")
	if err := property.Destroy(s, "git", "one"); err != nil {
		t.Fatal(err)
	}
	get("one", "everywhere")
	get("two", "two\nlines ")
	if err := property.Destroy(s, "git", "one"); err != nil {
		t.Errorf("nothing there: %v", err)
	}
}

// TestDestroyOdd has a hook that was called without an app, or with what is none: nobody's properties go.
func TestDestroyOdd(t *testing.T) {
	t.Parallel()
	s := settings.Settings{Env: []string{settings.LibRoot + "=" + t.TempDir()}}
	for _, plugin := range []string{"git", "other"} {
		if err := property.Set(s, plugin, "one", "key", "value"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"", ".", "..", "../other", "one/..", "../../config", property.Global} {
		_ = property.Destroy(s, "git", name) // an error or not: what counts is what is left
	}
	for _, plugin := range []string{"git", "other"} {
		if got := property.Get(s, plugin, "one", "key"); got != "value" {
			t.Errorf("%s: got %q, want the value", plugin, got)
		}
	}
}

// TestFollow clones and moves the properties of an app.
func TestFollow(t *testing.T) {
	t.Parallel()
	s := settings.Settings{Env: []string{settings.LibRoot + "=" + t.TempDir()}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(property.Clone(s, "p", "a", "b")) // nothing
	must(property.Move(s, "p", "a", "b"))
	must(property.Set(s, "p", "a", "key", "value"))
	must(property.Set(s, "p", "c", "old", "of an earlier app"))
	must(property.Set(s, "p", "a", "mine", "value"))
	must(property.Set(s, "p", property.Global, "key", "value"))
	must(property.Clone(s, "p", "a", "b", "mine"))
	if got, err := property.Holders(s, "p", "key", "value"); err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := property.Holders(s, "p", "mine", "value"); err != nil || !slices.Equal(got, []string{"a"}) {
		t.Errorf("the clone has what stays with the old one: got %q, %v", got, err)
	}
	must(property.Move(s, "p", "a", "c"))
	must(property.Move(s, "p", "a", "c")) // again
	for app, want := range map[string]string{"a": "", "b": "value", "c": "value"} {
		if got, err := property.Own(s, "p", app, "key"); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", app, got, err, want)
		}
	}
	if got := property.Get(s, "p", "c", "old"); got != "" {
		t.Errorf("c has %q of an earlier app", got)
	}
	if err := property.Move(s, "p", "a", "../x"); err == nil {
		t.Error("a name that is none was taken")
	}
}
