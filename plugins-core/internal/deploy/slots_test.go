package deploy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// buildStage is a stage whose one builder does f.
func buildStage(t *testing.T, lib, slots string, f func(c *pluginhook.Call) error) *stage {
	t.Helper()
	s := newStage(t, "builder-build", map[string]string{}, nil)
	detect := filepath.Join(s.c.Runner.Path, "old/builder-detect")
	if err := os.WriteFile(detect, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, kv := range [][2]string{{settings.LibRoot, lib}, {settings.BuildSlots, slots}} {
		s.c = s.c.With(kv[0], kv[1])
	}
	s.c.Runner.Exec = func(_ context.Context, c *pluginhook.Call) error {
		if c.Hook == "builder-detect" {
			_, err := c.Stdout.Write([]byte("old\n"))
			return err
		}
		return f(c)
	}
	return s
}

func build(ctx context.Context, s *stage) error {
	_, err := deploy.Build(ctx, s.c, s.app, "/src", "")
	return err
}

// TestSlots has a build wait for the end of another, a third one not wait, and a fourth one give up.
func TestSlots(t *testing.T) {
	t.Parallel()
	lib := t.TempDir()
	builds, goOn := make(chan struct{}), make(chan struct{})
	first := buildStage(t, lib, "1", func(*pluginhook.Call) error { close(builds); <-goOn; return nil })
	outcome := make(chan error, 2)
	go func() { outcome <- build(t.Context(), first) }()
	<-builds
	noWait := buildStage(t, lib, "1", func(*pluginhook.Call) error { t.Error("it was built"); return nil })
	noWait.c = noWait.c.With(settings.NoWait, "1")
	if err := build(t.Context(), noWait); err == nil || !strings.Contains(err.Error(), "cannot build one: it is busy: being built: one since ") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the pusher has gone")
	leaver := buildStage(t, lib, "1", func(*pluginhook.Call) error { t.Error("it was built"); return nil })
	leaver.c = leaver.c.WithOutput(cancelWriter(func() { cancel(gone) }), &leaver.diag)
	if err := build(ctx, leaver); !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
	if two := buildStage(t, lib, "2", func(*pluginhook.Call) error { return nil }); build(t.Context(), two) != nil || strings.Contains(two.diag.String(), "in line") {
		t.Errorf("two slots: got\n%s", two.diag.String())
	}
	second := buildStage(t, lib, "1", func(*pluginhook.Call) error { return nil })
	waits, cancelled := context.WithCancel(t.Context())
	second.c = second.c.WithOutput(cancelWriter(cancelled), &second.diag)
	go func() { outcome <- build(t.Context(), second) }()
	<-waits.Done()
	close(goOn)
	if err := errors.Join(<-outcome, <-outcome); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(lib, "data/build-slots/queue/[0-9]*"))
	if err != nil || len(left) > 0 {
		t.Errorf("got tickets %v, %v", left, err)
	}
}

// cancelWriter calls itself when somebody is told his place in line.
type cancelWriter func()

func (f cancelWriter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "You are number 1 in line; being built: one since ") {
		f()
	}
	return len(p), nil
}

// TestSlotInside builds inside a build, where there is one slot; a word that is none does not help.
func TestSlotInside(t *testing.T) {
	t.Parallel()
	lib := t.TempDir()
	built := 0
	var s *stage
	s = buildStage(t, lib, "1", func(c *pluginhook.Call) error {
		built++
		if built > 2 {
			return nil
		}
		call := *c
		call.Runner = &pluginhook.Runner{Path: s.c.Runner.Path, Env: c.Env, Exec: s.c.Runner.Exec}
		inner := &plug.C{Call: &call}
		if _, err := deploy.Build(t.Context(), inner, app.App{Name: "two", Root: s.app.Root}, "/src", ""); err != nil {
			return err
		}
		st, err := os.Open(filepath.Join(lib, "data/build-slots/slot.1"))
		if err != nil {
			return err
		}
		defer st.Close()
		if !errors.Is(unix.Flock(int(st.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
			t.Error("the build inside gave the slot back")
		}
		return nil
	})
	s.c = s.c.With(deploy.SlotEnv, "GUESS")
	if err := build(t.Context(), s); err != nil || built != 3 {
		t.Errorf("got %v after %d builds", err, built)
	}
	for _, text := range []string{"x", "-1"} {
		bad := buildStage(t, lib, text, func(*pluginhook.Call) error { return nil })
		if err := build(t.Context(), bad); err == nil || !strings.Contains(err.Error(), settings.BuildSlots) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
