package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// images stands in for the engine: names of images and what they name, behind the few calls of its API that moving a
// name takes. What the real engine does with them is shown by the scripts.
type images struct {
	mu    sync.Mutex
	names map[string]string // dokku/one:latest: id
	ids   []string          // those that are there, with a name or without
}

// ServeHTTP answers /_ping, GET /images/NAME/json, POST /images/NAME/tag and DELETE /images/NAME.
func (m *images) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/_ping" {
		return
	}
	got := regexp.MustCompile(`^/v[0-9.]+/images/(.*?)(/json|/tag)?$`).FindStringSubmatch(r.URL.Path)
	if got == nil {
		http.Error(w, `{"message":"not of this test"}`, http.StatusNotImplemented)
		return
	}
	id := m.names[got[1]]
	if slices.Contains(m.ids, got[1]) {
		id = got[1]
	}
	switch {
	case id == "":
		http.Error(w, `{"message":"No such image: `+got[1]+`"}`, http.StatusNotFound)
	case got[2] == "/json":
		_ = json.NewEncoder(w).Encode(map[string]any{"Id": id, "Config": map[string]any{}})
	case got[2] == "/tag":
		m.names[strings.TrimPrefix(r.FormValue("repo"), "docker.io/")+":"+r.FormValue("tag")] = id
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodDelete:
		delete(m.names, got[1])
		fmt.Fprint(w, "[]")
	}
}

// stage is an app, an engine with images, and plugins.
type stage struct {
	images *images
	app    app.App
	c      *plug.C
	diag   bytes.Buffer
	during map[string]string // what the names named while a hook ran
}

// newStage starts the engine; hook is the name of the only hook there is, "" for none, and run is what it does.
func newStage(t *testing.T, hook string, names map[string]string, run func(s *stage) error) *stage {
	t.Helper()
	s := &stage{images: &images{names: names, ids: slices.Collect(maps.Values(names))}, app: app.App{Name: "one", Root: t.TempDir()}}
	server := httptest.NewServer(s.images)
	t.Cleanup(server.Close)
	plugins := t.TempDir()
	if hook != "" {
		path := filepath.Join(plugins, "old", hook)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{settings.Root + "=" + s.app.Root, "DOCKER_HOST=" + strings.Replace(server.URL, "http:", "tcp:", 1)}
	exec := func(context.Context, *pluginhook.Call) error {
		s.images.mu.Lock()
		s.during = maps.Clone(s.images.names)
		s.images.mu.Unlock()
		return run(s)
	}
	s.c = &plug.C{Call: &pluginhook.Call{Env: env, Stdout: &s.diag, Stderr: &s.diag, Runner: &pluginhook.Runner{Path: plugins, Env: env, Exec: exec}}}
	return s
}

// TestImageHook runs a hook that may commit to dokku/one, in every state that a deploy finds the app in.
func TestImageHook(t *testing.T) {
	t.Parallel()
	const latest, build = "dokku/one:latest", "dokku/one:build"
	quiet := func(*stage) error { return nil }
	commit := func(s *stage) error {
		s.images.mu.Lock()
		defer s.images.mu.Unlock()
		s.images.names[latest] = "committed"
		return nil
	}
	fail := func(s *stage) error {
		_ = commit(s)
		return &pluginhook.ExitError{Path: "/old/pre-deploy", Code: 3}
	}
	for _, c := range []struct {
		what                  string
		hook, tag             string
		before, during, after string // "latest build" of the app, "-" for none
		run                   func(*stage) error
		bad                   bool
	}{
		{"nobody listens", "", "build", "old new", "", "old new", quiet, false},
		{"looks only", "pre-deploy", "build", "old new", "new new", "old new", quiet, false},
		{"commits", "pre-deploy", "build", "old new", "new new", "old committed", commit, false},
		{"fails", "pre-deploy", "build", "old new", "new new", "old committed", fail, true},
		{"first deploy, looks only", "pre-deploy", "build", "- new", "new new", "- new", quiet, false},
		{"first deploy, commits", "pre-deploy", "build", "- new", "new new", "- committed", commit, false},
		{"before the build", "pre-deploy", "build", "old -", "old -", "old -", quiet, false},
		{"nothing at all", "pre-deploy", "build", "- -", "- -", "- -", quiet, false},
		{"release of what serves", "pre-deploy", "latest", "old -", "old -", "committed -", commit, false},
	} {
		names := map[string]string{}
		for i, id := range strings.Fields(c.before) {
			if id != "-" {
				names[[]string{latest, build}[i]] = id
			}
		}
		s := newStage(t, c.hook, names, c.run)
		err := deploy.ImageHook(t.Context(), s.c, s.app, c.tag, "pre-deploy", s.app.Name, c.tag)
		state := func(m map[string]string) string {
			if m == nil {
				return ""
			}
			out := []string{"-", "-"}
			for i, name := range []string{latest, build} {
				if m[name] != "" {
					out[i] = m[name]
				}
			}
			return strings.Join(out, " ")
		}
		if (err != nil) != c.bad || state(s.during) != c.during || state(s.images.names) != c.after {
			t.Errorf("%s: got %q while the hook ran and %q after it, %v, want %q and %q", c.what, state(s.during), state(s.images.names), err, c.during, c.after)
		}
	}
}

// TestImageHookGone has the pusher go away while the hook runs: the name goes back all the same.
func TestImageHookGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := newStage(t, "pre-deploy", map[string]string{"dokku/one:latest": "old", "dokku/one:build": "new"}, func(*stage) error {
		cancel()
		return context.Canceled
	})
	if err := deploy.ImageHook(ctx, s.c, s.app, deploy.BuildTag, "pre-deploy", s.app.Name); err == nil {
		t.Error("got no error")
	}
	if got := s.images.names["dokku/one:latest"]; got != "old" {
		t.Errorf("got %q serving, want the old image", got)
	}
}

// TestMakeLatest makes what was built the latest.
func TestMakeLatest(t *testing.T) {
	t.Parallel()
	s := newStage(t, "", map[string]string{"dokku/one:latest": "old", "dokku/one:build": "new"}, nil)
	if err := deploy.MakeLatest(t.Context(), s.c, s.app); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.images.names); got != "map[dokku/one:latest:new]" {
		t.Errorf("got %s", got)
	}
	if err := deploy.MakeLatest(t.Context(), s.c, s.app); err == nil || !strings.Contains(err.Error(), "dokku/one:build") {
		t.Errorf("nothing built: got %v, want an error that names the image", err)
	}
}

// TestScheduler asks the plugins which scheduler runs the app.
func TestScheduler(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": deploy.Scheduler, "kubernetes\n": "kubernetes", "first\nsecond\n": "first"} {
		s := newStage(t, "scheduler-detect", nil, nil)
		s.c.Runner.Exec = func(_ context.Context, c *pluginhook.Call) error { _, err := fmt.Fprint(c.Stdout, text); return err }
		if got, err := deploy.SchedulerOf(t.Context(), s.c, s.app); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestBuildOptions takes the options of all plugins apart as a shell would.
func TestBuildOptions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{"": {}, "--build-arg A=1 --label 'x y'\n": {"--build-arg", "A=1", "--label", "x y"}} {
		s := newStage(t, "docker-args-build", nil, nil)
		s.c.Runner.Exec = func(_ context.Context, c *pluginhook.Call) error { _, err := fmt.Fprint(c.Stdout, text); return err }
		if got, err := deploy.BuildOptions(t.Context(), s.c, s.app, "dockerfile"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	s := newStage(t, "docker-args-build", nil, nil)
	s.c.Runner.Exec = func(_ context.Context, c *pluginhook.Call) error {
		_, err := fmt.Fprint(c.Stdout, "--label 'x")
		return err
	}
	if got, err := deploy.BuildOptions(t.Context(), s.c, s.app, "dockerfile"); err == nil {
		t.Errorf("an open quote: got %q, want an error", got)
	}
}

// TestRestartWhileDeployed changes a setting from a hook of a deploy: nothing is restarted, and nothing waits.
func TestRestartWhileDeployed(t *testing.T) {
	t.Parallel()
	s := newStage(t, "", nil, nil)
	if err := os.Mkdir(s.app.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	err := s.c.Lock(t.Context(), s.app, func(c *plug.C) error { return deploy.Restart(t.Context(), c, s.app, "restart") })
	if err != nil || !strings.Contains(s.diag.String(), "one is being deployed now") {
		t.Errorf("got %v, %q", err, s.diag.String())
	}
	s.diag.Reset()
	if err := deploy.Restart(t.Context(), s.c, s.app, "restart"); err != nil || s.diag.Len() > 0 {
		t.Errorf("never deployed: got %v, %q", err, s.diag.String())
	}
}
