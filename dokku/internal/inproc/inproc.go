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
	"runtime/debug"
	"strings"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Exec wraps next: hooks of the plugins that lookup knows run here, all others by next, which are given limit to end
// (0: none).
func Exec(lookup func(plugin string) *plug.Plugin, next pluginhook.Exec, limit time.Duration) pluginhook.Exec {
	limited := pluginhook.Limit(next, limit)
	return func(ctx context.Context, c *pluginhook.Call) error {
		if fn := find(lookup, c); fn != nil {
			return Run(ctx, fn, c)
		}
		return limited(ctx, foreign(c))
	}
}

// find returns the function for the hook's file, or nil.
func find(lookup func(string) *plug.Plugin, c *pluginhook.Call) pluginhook.Func {
	name, ok := plug.StubOf(c.Path)
	if !ok {
		return nil
	}
	p := lookup(name)
	if p == nil {
		return nil
	}
	return p.Func(c.Hook)
}

// Run calls a hook written in Go; it reports the hook's error, and a panic, as a process would: by text on stderr and a
// status.
func Run(ctx context.Context, fn pluginhook.Func, c *pluginhook.Call) (err error) {
	c = withStreams(c)
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(c.Stderr, " !     cannot run hook %q: panic: %v\n%s", c.Path, p, debug.Stack())
			err = &pluginhook.ExitError{Path: c.Path, Code: 2}
		}
	}()
	if code := plug.Report(c.Stderr, c.Path, fn(ctx, c)); code != 0 {
		return &pluginhook.ExitError{Path: c.Path, Code: code}
	}
	return nil
}

// withStreams puts what a process finds in /dev/null in the place of streams that the call does not have.
func withStreams(c *pluginhook.Call) *pluginhook.Call {
	if c.Stdin != nil && c.Stdout != nil && c.Stderr != nil {
		return c
	}
	all := *c
	if all.Stdin == nil {
		all.Stdin = strings.NewReader("")
	}
	if all.Stdout == nil {
		all.Stdout = io.Discard
	}
	if all.Stderr == nil {
		all.Stderr = io.Discard
	}
	return &all
}
