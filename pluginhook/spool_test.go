package pluginhook

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestSpool writes a spool as two processes would, with a file offset each, and reads it.
func TestSpool(t *testing.T) {
	for name, dir := range map[string]string{"named directory": t.TempDir(), "no such directory": "/no/such/directory", "default": ""} {
		t.Setenv("TMPDIR", dir)
		w, err := newSpool()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "one ")
		again, err := os.OpenFile(w.Name(), os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			t.Errorf("%s: a spool has a name, %q", name, w.Name())
			again.Close()
		}
		io.WriteString(w, "two")
		r, held, err := turn(w)
		if err != nil || held {
			t.Fatal(name, err, held)
		}
		text, err := io.ReadAll(r)
		if err != nil || string(text) != "one two" {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
		r.Close()
	}
}

func TestSpoolHeld(t *testing.T) {
	w, err := newSpool()
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(filepath.Join("/proc/self/fd", fdName(w)), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r, held, err := turn(w)
	if err != nil || !held {
		t.Errorf("got %v, %v, want that somebody else has it", held, err)
	}
	r.Close()
}

func fdName(f *os.File) string {
	entries, _ := os.ReadDir("/proc/self/fd")
	want, _ := f.Stat()
	for _, e := range entries {
		if info, err := os.Stat("/proc/self/fd/" + e.Name()); err == nil && os.SameFile(info, want) {
			return e.Name()
		}
	}
	return ""
}

func TestDedup(t *testing.T) {
	got := dedup([]string{"A=1", "B=2", "A=3", "=x=1", "=x=2", "novalue", "B="})
	if want := []string{"A=3", "B=", "=x=2", "novalue"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := dedup([]string{}); got == nil || len(got) != 0 {
		t.Errorf("an empty environment is not ours: got %q", got)
	}
}

func FuzzInterpreter(f *testing.F) {
	for _, seed := range []string{"#!/bin/sh", "#! /bin/sh -e", "#!", "#! \t", "", "#!/bin/sh\r", "\x7fELF", "#!/a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, head string) {
		interp := interpreter(head)
		if len(interp) > len(head) || slices.ContainsFunc([]rune(interp), func(r rune) bool { return r == ' ' || r == '\t' }) {
			t.Errorf("%q: got %q", head, interp)
		}
	})
}
