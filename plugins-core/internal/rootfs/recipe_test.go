package rootfs_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/rootfs"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{"": "bookworm-all", "all": "bookworm-all", "none": "bookworm-none", "python,go": "bookworm-go-python",
		"go,go": "bookworm-go", "ruby,php,go,c,nodejs,python": "bookworm-all"} {
		var with []string
		if words != "" {
			with = strings.Split(words, ",")
		}
		r, err := rootfs.New("", with)
		if err != nil || r.Variant() != want {
			t.Errorf("%q: got %q, %v, want %q", words, r.Variant(), err, want)
		}
	}
	for _, suite := range []string{"-x", "X", "../x", "a b", "a;b"} {
		if _, err := rootfs.New(suite, nil); err == nil {
			t.Errorf("suite %q: got no error", suite)
		}
	}
	if _, err := rootfs.New("", []string{"cobol"}); err == nil {
		t.Error("language cobol: got no error")
	}
}

// TestID makes sure that whatever changes what is made changes the name.
func TestID(t *testing.T) {
	t.Parallel()
	base := func() rootfs.Recipe {
		return rootfs.Recipe{Suite: "x", Languages: []string{"c"}, Sources: []rootfs.Source{{URI: "u", Suite: "x"}}}
	}
	ids := []string{base().ID()}
	for _, change := range []func(*rootfs.Recipe){
		func(r *rootfs.Recipe) { r.Suite = "y" },
		func(r *rootfs.Recipe) { r.Languages = nil },
		func(r *rootfs.Recipe) { r.Sources[0].Trusted = true },
		func(r *rootfs.Recipe) { r.Certificates = map[string][]byte{"a.crt": []byte("a")} },
		func(r *rootfs.Recipe) { r.Certificates = map[string][]byte{"b.crt": []byte("a")} },
		func(r *rootfs.Recipe) { r.DebianNPM = true },
	} {
		r := base()
		change(&r)
		ids = append(ids, r.ID())
	}
	if again := base().ID(); again != ids[0] {
		t.Errorf("got %s and %s of the same", ids[0], again)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(ids) {
		t.Errorf("got %q, want all different", ids)
	}
}

// TestCache keeps what was written to the end and nothing else, and removes what that replaces.
func TestCache(t *testing.T) {
	t.Parallel()
	c := rootfs.Cache{Dir: filepath.Join(t.TempDir(), "cache")}
	unlock, err := c.Lock(t.Context(), func() { t.Error("somebody has the lock") })
	if err != nil {
		t.Fatal(err)
	}
	one, two := rootfs.Recipe{Suite: "x"}, rootfs.Recipe{Suite: "x", Sources: []rootfs.Source{{URI: "u"}}}
	other, long := rootfs.Recipe{Suite: "y"}, rootfs.Recipe{Suite: "z"}
	text := strings.Repeat("some text ", 1000)
	put := func(r rootfs.Recipe, end error) error {
		return c.Put(r, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return errors.Join(err, end)
		})
	}
	for _, r := range []rootfs.Recipe{one, other, long} {
		if err := put(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range glob(t, c.Dir+"/stack-z-*") {
		if err := os.Chtimes(name, time.Now(), time.Now().Add(-60*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(two, io.ErrUnexpectedEOF); !errors.Is(err, io.ErrUnexpectedEOF) || c.Has(two) || !c.Has(one) {
		t.Errorf("after a failure: got %v, %v, %v", err, c.Has(two), c.Has(one))
	}
	if err := put(two, nil); err != nil || c.Has(one) || !c.Has(two) || !c.Has(other) || c.Has(long) {
		t.Errorf("after a newer one: got %v; %q", err, glob(t, c.Dir+"/*"))
	}
	r, err := c.Open(two)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(got) != text {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if err := os.WriteFile(c.Dir+"/.stack-123", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := c.Lock(ctx, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("while it is locked: got %v", err)
	}
	unlock()
	if unlock, err = c.Lock(t.Context(), func() { t.Error("the lock is left") }); err != nil {
		t.Fatal(err)
	}
	unlock()
	if left := glob(t, c.Dir+"/.stack-*"); left != nil {
		t.Errorf("got %q, which nobody writes", left)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
