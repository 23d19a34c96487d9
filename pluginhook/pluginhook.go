// Package pluginhook finds and runs hooks. (Contract sketch: names and signatures are fixed, bodies follow.)
package pluginhook

import (
	"context"
	"fmt"
	"io"
	"syscall"
	"time"
)

// Hook is one hook file found in a plugin directory.
type Hook struct {
	Plugin string // base name of the plugin directory
	Name   string // hook name
	Dir    string // plugin directory
	Path   string // Dir + "/" + Name: argv[0] of the hook, links not resolved
}

// Find lists the files that implement hook under path, in the order in which they run.
func Find(path, hook string) ([]Hook, error) { return nil, nil }

// Call is one run of one hook.
type Call struct {
	Hook, Path, Dir string
	Args, Env       []string
	Stdin           io.Reader // nil: /dev/null
	Stdout, Stderr  io.Writer
	Runner          *Runner // who makes the call, so that a hook written in Go can trigger others; may be nil
}

// Exec runs one hook; a non-zero status comes back as *ExitError.
type Exec func(ctx context.Context, c *Call) error

// Func is a hook written in Go.
type Func = Exec

// Runner runs hooks.
type Runner struct {
	Path      string        // PLUGIN_PATH
	Env       []string      // environment of the hooks; nil: os.Environ()
	Exec      Exec          // nil: OSExec
	Parallel  bool          // Trigger: start all hooks at once
	KeepGoing bool          // Broadcast: run the rest after a failure, report all
	Timeout   time.Duration // per hook; 0: none
	Trace     io.Writer     // nil: no trace
}

// Trigger runs the hooks as a pipeline.
func (r *Runner) Trigger(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, hook string, args ...string) error {
	return nil
}

// Broadcast runs the hooks one after another, each writing straight to stdout. stdin nil: empty.
func (r *Runner) Broadcast(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, hook string, args ...string) error {
	return nil
}

// OSExec runs the hook file as a process. It is the default Exec.
func OSExec(ctx context.Context, c *Call) error { return nil }

// WithSignals returns a context that TERM, INT and HUP cancel; the cause is a *SignalError, which OSExec forwards to
// the running hook's process group.
func WithSignals(parent context.Context) (ctx context.Context, stop func()) { return parent, func() {} }

// SignalError is the cause of a context that a signal ended.
type SignalError struct{ Signal syscall.Signal }

func (e *SignalError) Error() string { return e.Signal.String() }

// ExitError is a hook's non-zero status.
type ExitError struct {
	Path   string
	Code   int            // 1..255; 128+n when a signal ended the hook; 126/127 when it could not be started
	Signal syscall.Signal // 0 unless a signal ended it
	Err    error          // why, where there is more to say than the code; may be nil
}

func (e *ExitError) Error() string { return fmt.Sprintf("%s: exit status %d", e.Path, e.Code) }
