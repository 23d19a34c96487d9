package inproc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/dokku/internal/inproc"
	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// lookup knows one plugin.
func lookup(name string) *plug.Plugin {
	if name != "demo" {
		return nil
	}
	tell := func(_ context.Context, c *plug.C) error { fmt.Fprintf(c.Stdout, "here %q\n", c.Args); return nil }
	return &plug.Plugin{Name: "demo", Hooks: map[string]plug.Hook{
		"text": func(_ context.Context, c *plug.C) error { _, err := io.Copy(c.Stdout, c.Stdin); return err },
		"tell": tell, "pre-deploy": tell,
		"fail":  func(context.Context, *plug.C) error { return errors.New("cannot do it") },
		"exit":  func(_ context.Context, c *plug.C) error { return &pluginhook.ExitError{Path: c.Path, Code: 7} },
		"panic": func(context.Context, *plug.C) error { panic("out of order") },
	}}
}

// plugin writes files of a plugin and returns its directory.
func plugin(t *testing.T, files map[string]string, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// call runs a hook; the process is stood in for by a function that notes its call.
func call(t *testing.T, dir, hook string, args ...string) (code int, out, diag string, executed *pluginhook.Call) {
	t.Helper()
	next := func(_ context.Context, c *pluginhook.Call) error { executed = c; return nil }
	var stdout, stderr bytes.Buffer
	err := inproc.Exec(lookup, next, 0)(t.Context(), &pluginhook.Call{Hook: hook, Path: filepath.Join(dir, hook), Dir: dir, Args: args,
		Stdin: strings.NewReader("in\n"), Stdout: &stdout, Stderr: &stderr})
	var exit *pluginhook.ExitError
	if errors.As(err, &exit) {
		code = exit.Code
	} else if err != nil {
		t.Errorf("%s: got %v, want a status", hook, err)
	}
	return code, stdout.String(), stderr.String(), executed
}

func TestInProcess(t *testing.T) {
	t.Parallel()
	stub := plug.Stub("demo")
	dir := plugin(t, map[string]string{"text": stub, "tell": stub, "fail": stub, "exit": stub, "panic": stub}, 0o755)
	for _, c := range []struct {
		hook, out, diag string
		code            int
	}{
		{"text", "in\n", "", 0},
		{"tell", "here [\"a\" \"b c\"]\n", "", 0},
		{"fail", "", " !     cannot do it\n", 1},
		{"exit", "", "", 7},
	} {
		code, out, diag, executed := call(t, dir, c.hook, "a", "b c")
		if executed != nil || code != c.code || out != c.out || diag != c.diag {
			t.Errorf("%s: got %d, %q, %q, executed %v, want %d, %q, %q", c.hook, code, out, diag, executed != nil, c.code, c.out, c.diag)
		}
	}
	code, _, diag, executed := call(t, dir, "panic")
	if executed != nil || code != 2 || !strings.Contains(diag, "panic: out of order\n") || !strings.Contains(diag, "inproc_test.go") {
		t.Errorf("panic: got %d, %q", code, diag)
	}
}

// TestExecuted has files that only look like stubs, and stubs that nobody knows: the kernel gets them.
func TestExecuted(t *testing.T) {
	t.Parallel()
	stub := plug.Stub("demo")
	for what, dir := range map[string]string{
		"edited":         plugin(t, map[string]string{"tell": stub + "# mine\n"}, 0o755),
		"script":         plugin(t, map[string]string{"tell": "#!/bin/sh\n"}, 0o755),
		"no execute bit": plugin(t, map[string]string{"tell": stub}, 0o644),
		"other plugin":   plugin(t, map[string]string{"tell": plug.Stub("other")}, 0o755),
		"missing":        plugin(t, nil, 0o755),
	} {
		if _, out, _, executed := call(t, dir, "tell", "x"); executed == nil || out != "" || !slices.Equal(executed.Args, []string{"x"}) {
			t.Errorf("%s: got %q, executed %v, want it executed", what, out, executed)
		}
	}
	dir := plugin(t, map[string]string{"unknown-hook": stub}, 0o755)
	if _, _, _, executed := call(t, dir, "unknown-hook"); executed == nil {
		t.Error("a hook of another version: not executed")
	}
}

// TestLegacyArgs calls hooks whose arguments have changed; plugins of old, which have no plugin.toml, get the old ones.
func TestLegacyArgs(t *testing.T) {
	t.Parallel()
	old := plugin(t, map[string]string{"pre-deploy": "#!/bin/sh\n"}, 0o755)
	today := plugin(t, map[string]string{"pre-deploy": "#!/bin/sh\n", "plugin.toml": "[plugin]\n"}, 0o755)
	for _, c := range []struct{ hook, args, want string }{
		{"pre-build", "herokuish app /dir", "app dokku/app"},
		{"post-build", "dockerfile app /dir", "app dokku/app"},
		{"pre-deploy", "app build", "app dokku/app"},
		{"post-deploy", "app 80 127.0.0.1 build", "app 80 127.0.0.1 build"},
		{"pre-release", "app dokku/app", "app dokku/app"},
		{"pre-build", "app", "app"},
		{"pre-deploy", "app", "app"},
	} {
		for dir, want := range map[string]string{old: c.want, today: c.args} {
			_, _, _, executed := call(t, dir, c.hook, strings.Fields(c.args)...)
			if got := strings.Join(executed.Args, " "); got != want {
				t.Errorf("%s %s: got %q, want %q", c.hook, c.args, got, want)
			}
		}
	}
	stub := plugin(t, map[string]string{"pre-deploy": plug.Stub("demo")}, 0o755)
	if _, out, _, _ := call(t, stub, "pre-deploy", "app", "build"); out != "here [\"app\" \"build\"]\n" {
		t.Errorf("in process: got %q, want the arguments of today", out)
	}
}

// TestLimit gives processes a deadline and hooks in process none: a deploy is one.
func TestLimit(t *testing.T) {
	t.Parallel()
	dir := plugin(t, map[string]string{"tell": plug.Stub("demo"), "other": "#!/bin/sh\n"}, 0o755)
	for limit, want := range map[time.Duration]bool{0: false, time.Hour: true} {
		got := false
		next := func(ctx context.Context, _ *pluginhook.Call) error { _, got = ctx.Deadline(); return nil }
		c := &pluginhook.Call{Hook: "other", Path: dir + "/other", Dir: dir}
		if err := inproc.Exec(lookup, next, limit)(t.Context(), c); err != nil || got != want {
			t.Errorf("limit %v: got a deadline: %v, %v, want %v", limit, got, err, want)
		}
	}
}

// TestWithoutStreams has a hook of which nobody reads anything.
func TestWithoutStreams(t *testing.T) {
	t.Parallel()
	dir := plugin(t, map[string]string{"text": plug.Stub("demo"), "tell": plug.Stub("demo"), "fail": plug.Stub("demo")}, 0o755)
	for hook, want := range map[string]int{"text": 0, "tell": 0, "fail": 1} {
		err := inproc.Exec(lookup, pluginhook.OSExec, 0)(t.Context(), &pluginhook.Call{Hook: hook, Path: filepath.Join(dir, hook), Dir: dir})
		var exit *pluginhook.ExitError
		if code := 0; errors.As(err, &exit) && exit.Code != want || err == nil && code != want {
			t.Errorf("%s without streams: got %v, want status %d", hook, err, want)
		}
	}
}
