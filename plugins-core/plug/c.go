package plug

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/queue"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// C is a call of a core hook or verb, with its settings, its output and the hooks it may trigger.
type C struct {
	*pluginhook.Call
	verb *Command
}

// Settings reads the settings of the call.
func (c *C) Settings() settings.Settings { return settings.Settings{Env: c.Env} }

// Getenv returns a variable of the call's environment.
func (c *C) Getenv(key string) string { v, _ := settings.Lookup(c.Env, key); return v }

// Arg returns argument i, or "".
func (c *C) Arg(i int) string {
	if i < len(c.Args) {
		return c.Args[i]
	}
	return ""
}

// Usage is the error for wrong words: the usage line of the verb, if it is one, with what is missing or wrong before it.
func (c *C) Usage(format string, args ...any) error {
	if c.verb == nil {
		return &UsageError{Text: fmt.Sprintf(format, args...)}
	}
	return &UsageError{Text: fmt.Sprintf(format, args...) + "\nUsage: dokku " + strings.TrimSpace(c.verb.Name+" "+c.verb.Args)}
}

// App returns the app that the call's argument i names; it must exist.
func (c *C) App(i int) (app.App, error) {
	name := c.Arg(i)
	if name == "" {
		if c.verb == nil {
			return app.App{}, &UsageError{Text: fmt.Sprintf("cannot run hook %q: give it the app's name", c.Hook)}
		}
		return app.App{}, c.Usage("cannot run %s: name the app", c.verb.Name)
	}
	if i == 0 {
		return c.Find(name)
	}
	return app.Find(c.Settings().Root(), name)
}

// Find is the app of that name, which the verb is about. It has to be the one for which leave was asked, however the
// verb reads its words.
func (c *C) Find(name string) (app.App, error) {
	asked := c.Getenv(AuthorisedApp)
	if c.verb != nil && !c.verb.Internal && c.Getenv(Authorised) == AuthorisedNow && name != asked && asked != "--all" {
		return app.App{}, fmt.Errorf("cannot run %s: Access denied; give the app's name right behind the command", c.verb.Name)
	}
	return app.Find(c.Settings().Root(), name)
}

// Info1 prints a headline: "-----> ".
func (c *C) Info1(format string, args ...any) {
	fmt.Fprintf(c.Stdout, "-----> "+format+"\n", args...)
}

// Info2 prints a headline of the second kind: "=====> ".
func (c *C) Info2(format string, args ...any) {
	fmt.Fprintf(c.Stdout, "=====> "+format+"\n", args...)
}

// Info2Quiet is Info2 for a headline that --quiet leaves out.
func (c *C) Info2Quiet(format string, args ...any) {
	if !c.Settings().On(settings.Quiet) {
		c.Info2(format, args...)
	}
}

// Verbose prints an indented line.
func (c *C) Verbose(format string, args ...any) {
	fmt.Fprintf(c.Stdout, "       "+format+"\n", args...)
}

// Warn prints a warning on stderr.
func (c *C) Warn(format string, args ...any) {
	fmt.Fprintf(c.Stderr, " !     "+format+"\n", args...)
}

// Trigger runs a hook of all plugins, each writing straight to our stdout, with nothing on stdin.
func (c *C) Trigger(ctx context.Context, hook string, args ...string) error {
	return c.Runner.Broadcast(ctx, nil, c.Stdout, c.Stderr, hook, args...)
}

// Query runs a hook of all plugins and returns what they print, without the last line's end.
func (c *C) Query(ctx context.Context, hook string, args ...string) (string, error) {
	var out bytes.Buffer
	err := c.Runner.Broadcast(ctx, nil, &out, c.Stderr, hook, args...)
	return strings.TrimRight(out.String(), "\n"), err
}

// FirstLine is Query for a question to which the first plugin's answer counts.
func (c *C) FirstLine(ctx context.Context, hook string, args ...string) (string, error) {
	out, err := c.Query(ctx, hook, args...)
	line, _, _ := strings.Cut(out, "\n")
	return strings.TrimSpace(line), err
}

// Filter runs a hook as a pipeline of filters and returns what the last of them prints; with no plugin that has the
// hook, the result is empty.
func (c *C) Filter(ctx context.Context, stdin, hook string, args ...string) (string, error) {
	var out bytes.Buffer
	err := c.Runner.Trigger(ctx, strings.NewReader(stdin), &out, c.Stderr, hook, args...)
	return out.String(), err
}

// Implemented tells whether any plugin has the hook.
func (c *C) Implemented(hook string) (bool, error) {
	hooks, err := pluginhook.Find(c.Runner.Path, hook)
	return len(hooks) > 0, err
}

// With returns a call like c whose hooks see the variable key.
func (c *C) With(key, value string) *C {
	call := *c.Call
	call.Env = settings.Set(c.Env, key, value)
	runner := *c.Runner
	runner.Env = call.Env
	call.Runner = &runner
	return &C{Call: &call, verb: c.verb}
}

// In returns a call like c whose hooks run in dir.
func (c *C) In(dir string) *C {
	call := *c.Call
	runner := *c.Runner
	runner.WorkDir = dir
	call.Runner = &runner
	return &C{Call: &call, verb: c.verb}
}

// WithOutput returns a call like c that writes elsewhere.
func (c *C) WithOutput(stdout, stderr io.Writer) *C {
	call := *c.Call
	call.Stdout, call.Stderr = stdout, stderr
	return &C{Call: &call, verb: c.verb}
}

// Lock takes the lock of a for what f does; the hooks that f triggers know that it is held. Somebody who has to wait
// is told so. What a holder that died has left half done is mended first.
func (c *C) Lock(ctx context.Context, a app.App, f func(c *C) error) error {
	return c.LockAs(ctx, a, c.wish(), f)
}

// LockAs is Lock with more to say of who wants it and how.
func (c *C) LockAs(ctx context.Context, a app.App, w queue.Wish, f func(c *C) error) error {
	return c.lock(ctx, a, w, true, f)
}

// Seize is Lock for what ends the app: nothing is mended before.
func (c *C) Seize(ctx context.Context, a app.App, f func(c *C) error) error {
	return c.lock(ctx, a, c.wish(), false, f)
}

// wish is whether to wait. What dokku does by itself, such as ending old containers, waits, whatever the one who began it
// all wanted.
func (c *C) wish() queue.Wish {
	return queue.Wish{NoWait: c.verb != nil && !c.verb.Internal && c.Settings().On(settings.NoWait)}
}

func (c *C) lock(ctx context.Context, a app.App, w queue.Wish, mend bool, f func(c *C) error) error {
	w.Entry = c.Entry(w.Entry)
	told := false
	w.Waiting = func(place int) {
		if !told {
			c.Info1("%s is currently being deployed or locked. Waiting...", a.Name)
			told = true
		}
		text := ""
		if h := a.Holder(); h.Verb != "" {
			text = fmt.Sprintf("; %s holds it since %s", h, h.Start())
		}
		c.Verbose("You are number %d in line%s", place, text)
	}
	lock, err := a.Lock(ctx, c.Getenv, w)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	held := c.With(app.LockTokenEnv, lock.Token())
	if !mend || a.HeldByAncestor(c.Getenv(app.LockTokenEnv)) {
		return f(held)
	}
	unfinished, err := release.Unfinished(a)
	if err != nil {
		return err
	}
	if lock.Dirty() || unfinished != nil || a.State(app.DestroyingFile) != "" || a.State(app.RenamingFile) != "" && !a.Unserved() {
		if err := held.Trigger(ctx, "app-recover", a.Name); err != nil {
			return err
		}
		if !a.Exists() {
			return &app.NotFoundError{Name: a.Name}
		}
	}
	return f(held)
}

// Entry fills in what e does not say of who wants something.
func (c *C) Entry(e queue.Entry) queue.Entry {
	if e.Verb == "" {
		if e.Verb = c.Hook; c.verb != nil {
			e.Verb = c.verb.Name
		}
	}
	// A key's name tells more than the user that all keys share.
	if e.Who = c.Getenv("SSH_NAME"); e.Who == "" || e.Who == "default" {
		e.Who = c.Settings().Get("SSH_USER", "root")
	}
	e.PID, e.Since = os.Getpid(), time.Now()
	return e
}

// Verb is the name of the verb that runs, "" in a hook.
func (c *C) Verb() string {
	if c.verb == nil {
		return ""
	}
	return c.verb.Name
}
