package nginxvhosts

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// newHost is a host with that many apps, and an nginx that refuses the files in which there is BAD. What it says is the
// text of the file words, with FILE for the first of them, and each time it is asked it adds a line to the file asked.
func newHost(t *testing.T, apps int, words string) *host {
	t.Helper()
	root, lib := t.TempDir(), t.TempDir()
	script := filepath.Join(lib, "nginx")
	write(t, script, `#!/bin/sh
echo >>"$2/asked"
if test -e "$2/admin"; then echo "nginx: [emerg] the admin has made a mistake in /etc/nginx/x:1" >&2; exit 1; fi
bad=$(cd "$1" && grep -l BAD */nginx.conf 2>/dev/null | head -n 1)
if test -z "$bad"; then exit 0; fi
echo "2026/01/01 [emerg] $$#$$: $(sed "s|FILE|$1/$bad|" "$2/words")" >&2
exit 1
`)
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(lib, "words"), words)
	env := []string{"DOKKU_ROOT=" + root, "DOKKU_LIB_ROOT=" + lib, "PATH=/usr/bin:/bin",
		fmt.Sprintf("DOKKU_NGINX_TEST_COMMAND=%s %s %s", script, root, lib)}
	c := &plug.C{Call: &pluginhook.Call{Env: env, Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}}
	h := &host{c: c, s: settings.Settings{Env: env}}
	for i := range apps {
		write(t, h.site(fmt.Sprintf("app%02d", i)).conf(), "good\n")
	}
	unlock, err := h.site("").lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	return h
}

func (h *host) asked(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(h.s.LibRoot(), "asked"))
	if err != nil {
		t.Fatal(err)
	}
	return len(data)
}

// TestIsolate has culprits among many apps, and an nginx that names their files, names wrong ones, or names none.
func TestIsolate(t *testing.T) {
	t.Parallel()
	const apps = 40
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct {
		what, words string
		tests       int // at most, for each culprit
	}{
		{"named", "wrong in FILE:3", 1},
		{"not named", "could not build the hash", 8},
		{"an innocent one named", "wrong in ROOT/app00/nginx.conf:1", 9},
	} {
		for _, culprits := range []int{0, 1, 3} {
			h := newHost(t, apps, c.words)
			write(t, filepath.Join(h.s.LibRoot(), "words"), strings.ReplaceAll(c.words, "ROOT", h.s.Root()))
			var want []string
			for _, i := range r.Perm(apps - 1)[:culprits] {
				name := fmt.Sprintf("app%02d", i+1)
				write(t, h.site(name).conf(), "BAD\n")
				want = append(want, name)
			}
			slices.Sort(want)
			aside, err := h.isolate(t.Context(), "")
			var got []string
			for _, q := range aside {
				got = append(got, q.App)
			}
			slices.Sort(got)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, %d culprits: got %v, %v, want %v", c.what, culprits, got, err, want)
			}
			h.check(t, want)
			if n := h.asked(t); n > 1+culprits*c.tests {
				t.Errorf("%s, %d culprits: nginx was asked %d times", c.what, culprits, n)
			}
		}
	}
}

// check looks whether those are set aside, and nobody else, and nothing is left of a search.
func (h *host) check(t *testing.T, aside []string) {
	t.Helper()
	list, err := h.quarantinedApps()
	if err != nil || len(list) != len(aside) {
		t.Errorf("got %d set aside, %v, want %v", len(list), err, aside)
	}
	for _, q := range list {
		if !slices.Contains(aside, q.App) || q.Reason == "" || q.Since.IsZero() {
			t.Errorf("got %+v set aside, want %v", q, aside)
		}
	}
	left, err := filepath.Glob(h.s.Root() + "/*/*" + trialSuffix)
	if err != nil || len(left) > 0 {
		t.Errorf("got %v, %v", left, err)
	}
}

// TestIsolateNobody has a mistake that is no app's: all stay where they are.
func TestIsolateNobody(t *testing.T) {
	t.Parallel()
	h := newHost(t, 5, "x")
	write(t, filepath.Join(h.s.LibRoot(), "admin"), "")
	aside, err := h.isolate(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), "this is no app's doing") || len(aside) > 0 {
		t.Errorf("got %v, %v", aside, err)
	}
	h.check(t, nil)
	if served, err := h.apps(); err != nil || len(served) != 5 {
		t.Errorf("got %v, %v", served, err)
	}
}

// TestIsolateOnly touches no app but the one that it may.
func TestIsolateOnly(t *testing.T) {
	t.Parallel()
	h := newHost(t, 5, "wrong in FILE:3")
	for _, name := range []string{"app01", "app03"} {
		write(t, h.site(name).conf(), "BAD\n")
	}
	if aside, err := h.isolate(t.Context(), "app03"); err == nil || len(aside) > 0 {
		t.Errorf("another is wrong: got %v, %v", aside, err)
	}
	if aside, err := h.isolate(t.Context(), "app01"); err == nil || len(aside) != 1 || aside[0].App != "app01" {
		t.Errorf("got %v, %v", aside, err)
	}
	h.check(t, []string{"app01"})
}

// TestValidate tells what it finds, and brings back who is good again.
func TestValidate(t *testing.T) {
	t.Parallel()
	h := newHost(t, 5, "wrong in FILE:3")
	bad := h.site("app02")
	write(t, bad.conf(), "BAD\n")
	run := func(clean bool) *validation {
		v := &validation{}
		if _, err := h.validateLocked(t.Context(), v, "", clean); err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := run(false); v.Valid || len(v.Apps) != 1 || v.Apps[0].App != "app02" || v.Apps[0].State != stateRefused || !strings.HasPrefix(v.Message, "wrong in ") {
		t.Errorf("got %+v", v)
	}
	for range 2 {
		if v := run(true); !v.Valid || len(v.Apps) != 1 || v.Apps[0].State != stateQuarantined || v.Apps[0].Since == nil {
			t.Errorf("got %+v", v)
		}
	}
	write(t, bad.conf()+quarantineSuffix, "good\n")
	if v := run(false); !v.Valid || len(v.Apps) != 1 || v.Apps[0].State != stateRestored {
		t.Errorf("got %+v", v)
	}
	if v := run(false); !v.Valid || len(v.Apps) != 0 {
		t.Errorf("got %+v", v)
	}
	write(t, bad.conf(), "listen 80 default_server;\n")
	if v := run(true); !v.Valid || len(v.Apps) != 1 || !strings.Contains(v.Apps[0].Reason, "default_server") {
		t.Errorf("got %+v", v)
	}
	if v := run(false); !v.Valid || len(v.Apps) != 1 || !strings.Contains(v.Apps[0].Reason, "default_server") {
		t.Errorf("got %+v", v)
	}
}
