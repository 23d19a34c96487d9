// Package inproc runs the hooks of core plugins inside this process.
//
// The truth is on disk: a hook written in Go is a file of one line that any runner can execute. [Exec] looks at the
// file first, and only when all of it is a stub that we know calls the function instead of the kernel. An edited file
// is therefore never bypassed, and one without its execute bit is reported like any other.
package inproc

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// maxStub is more than the longest stub.
const maxStub = 128

// Exec wraps next: hooks of the plugins that lookup knows run here, all others by next, which are given limit to end
// (0: none).
func Exec(lookup func(plugin string) *plug.Plugin, next pluginhook.Exec, limit time.Duration) pluginhook.Exec {
	return func(ctx context.Context, c *pluginhook.Call) error {
		if fn := find(lookup, c); fn != nil {
			return Run(ctx, fn, c)
		}
		c = legacyArgs(c)
		if limit == 0 {
			return next(ctx, c)
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return next(ctx, c)
	}
}

// find returns the function for the hook's file, or nil.
func find(lookup func(string) *plug.Plugin, c *pluginhook.Call) pluginhook.Func {
	name, ok := StubPlugin(c.Path)
	if !ok {
		return nil
	}
	p := lookup(name)
	if p == nil {
		return nil
	}
	return p.Func(c.Hook)
}

// StubPlugin returns the plugin whose stub the executable file at path is.
func StubPlugin(path string) (plugin string, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Mode()&0o111 == 0 || st.Size() > maxStub {
		return "", false
	}
	data, err := io.ReadAll(io.LimitReader(f, maxStub+1))
	if err != nil {
		return "", false
	}
	head, tail, _ := strings.Cut(plug.Stub("\x00"), "\x00")
	text, ok := strings.CutPrefix(string(data), head)
	if !ok {
		return "", false
	}
	plugin, ok = strings.CutSuffix(text, tail)
	return plugin, ok && plugin != "" && !strings.ContainsAny(plugin, "\n \t")
}

// Run calls a hook written in Go; it reports the hook's error, and a panic, as a process would: by text on stderr and a
// status.
func Run(ctx context.Context, fn pluginhook.Func, c *pluginhook.Call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(c.Stderr, " !     cannot run hook %q: panic: %v\n%s", c.Path, p, debug.Stack())
			err = &pluginhook.ExitError{Path: c.Path, Code: 2}
		}
	}()
	return plug.Finish(c, fn(ctx, c))
}

// legacyArgs gives plugins of 2014, which have no plugin.toml, the arguments of their time, APP IMAGE, for the hooks
// whose arguments have changed since (plugin-contract, section 3).
func legacyArgs(c *pluginhook.Call) *pluginhook.Call {
	var app string
	switch {
	case (c.Hook == "pre-build" || c.Hook == "post-build") && len(c.Args) == 3:
		app = c.Args[1]
	case c.Hook == "pre-deploy" && len(c.Args) == 2:
		app = c.Args[0]
	default:
		return c
	}
	if _, err := os.Stat(c.Dir + "/plugin.toml"); err == nil {
		return c
	}
	old := *c
	old.Args = []string{app, "dokku/" + app}
	return &old
}
