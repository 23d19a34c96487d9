package pluginhook_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
)

func TestFindOrder(t *testing.T) {
	t.Parallel()
	path := plugins(t, map[string]string{
		"a-one/text": "#!/bin/sh\n", "10/text": "#!/bin/sh\n", "9/text": "#!/bin/sh\n", "Z/text": "#!/bin/sh\n",
		"b two/text": "no execute bit", "é/text": "#!/bin/sh\n", "other/texts": "#!/bin/sh\n", "dir/text/x": "",
		".git/text": "#!/bin/sh\n", "available/text": "#!/bin/sh\n", "enabled/text": "#!/bin/sh\n", "text": "#!/bin/sh\n",
	})
	for link, target := range map[string]string{"linked": "9", "gone": "nowhere", "file": "text", "broken/text": "nowhere"} {
		os.Mkdir(filepath.Join(path, "broken"), 0o755)
		if err := os.Symlink(target, filepath.Join(path, link)); err != nil {
			t.Fatal(err)
		}
	}
	hooks, err := pluginhook.Find(path+"/./", "text")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range hooks {
		got = append(got, h.Plugin)
		if want := path + "/" + h.Plugin; h.Dir != want || h.Path != want+"/text" || h.Name != "text" {
			t.Errorf("got %+v, want directory %q", h, want)
		}
	}
	want := []string{"10", "9", "Z", "a-one", "b two", "broken", "dir", "linked", "é"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFindRefuses(t *testing.T) {
	t.Parallel()
	path := plugins(t, map[string]string{"a/text": "#!/bin/sh\n", "a/sub/x": "#!/bin/sh\n", "tr/t?": "#!/bin/sh\n"})
	for _, hook := range []string{"", ".", "..", "sub/x", "/", "../a/text", "te\x00xt"} {
		if hooks, err := pluginhook.Find(path, hook); err == nil {
			t.Errorf("%q: got %v, want an error", hook, hooks)
		}
	}
	if hooks, err := pluginhook.Find(path, "t*"); err != nil || len(hooks) != 0 {
		t.Errorf("a name is no pattern: got %v, %v", hooks, err)
	}
	if hooks, err := pluginhook.Find(path, "t?"); err != nil || len(hooks) != 1 {
		t.Errorf("a name is no pattern: got %v, %v", hooks, err)
	}
	if _, err := pluginhook.Find("", "text"); !errors.Is(err, pluginhook.ErrNoPath) {
		t.Errorf("got %v, want ErrNoPath", err)
	}
	if hooks, err := pluginhook.Find(path+"/none", "text"); err != nil || len(hooks) != 0 {
		t.Errorf("a missing directory: got %v, %v", hooks, err)
	}
	if _, err := pluginhook.Find(path+"/a/text", "text"); err == nil {
		t.Errorf("a file as plugin path: want an error")
	}
}

// TestFindRelative is about $0, from which hooks find their plugin: it is relative when the plugin path is.
func TestFindRelative(t *testing.T) {
	path := plugins(t, map[string]string{"p/a/text": "#!/bin/sh\n"})
	for _, test := range []struct{ dir, path, want string }{
		{path, "p", "p/a/text"},
		{path, "./p//", "p/a/text"},
		{path + "/p", ".", "a/text"},
		{path + "/p/a", "..", "../a/text"},
	} {
		t.Chdir(test.dir)
		hooks, err := pluginhook.Find(test.path, "text")
		if err != nil || len(hooks) != 1 || hooks[0].Path != test.want {
			t.Errorf("%q: got %v, %v, want %q", test.path, hooks, err, test.want)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, seed := range []string{"text", "", ".", "..", "a/b", "te*t", "[", "\x00", "-p", "é", "\xff", strings.Repeat("x", 300), "text\n", " text"} {
		f.Add(seed)
	}
	path := plugins(f, map[string]string{"a/text": "#!/bin/sh\n", "secret": "#!/bin/sh\n"})
	f.Fuzz(func(t *testing.T, hook string) {
		hooks, err := pluginhook.Find(path, hook)
		if err != nil && len(hooks) > 0 {
			t.Fatalf("both hooks and an error: %v, %v", hooks, err)
		}
		for _, h := range hooks {
			if h.Name != hook || filepath.Dir(h.Path) != filepath.Join(path, "a") || filepath.Base(h.Path) != hook {
				t.Fatalf("%q leads to %q", hook, h.Path)
			}
		}
	})
}
