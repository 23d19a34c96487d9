// Package pluginhook finds and runs hooks: executable files of a given name in plugin directories.
//
// A plugin is a directory in PLUGIN_PATH, a hook is a file in it. [Runner.Trigger] runs all files of one name as a
// pipeline, in the byte order of their plugins' names: what the first one prints is what the second one reads, and
// only the last one's output reaches the caller. So hooks are filters, a filter that wants to keep what plugins before
// it said has to copy its input, and without any hook there is no output at all. [Runner.Broadcast] runs them as
// independent listeners instead, each writing straight to the caller's output.
//
//	r := &pluginhook.Runner{Path: os.Getenv("PLUGIN_PATH")}
//	err := r.Trigger(ctx, os.Stdin, os.Stdout, os.Stderr, "text", "arg")
//
// One after another is the default: a hook starts when the one before it has ended, and finds its input complete. With
// [Runner.Parallel] all start at once and data passes on as it comes.
//
// How a single hook runs is a [Exec], [OSExec] unless the Runner says otherwise. A caller that knows better for some
// files, for instance because it carries the hook in Go, puts its own function there and hands the rest to OSExec.
//
// Failure is a [*ExitError] that carries the hook's status; a hook that cannot be started is a failure, with status
// 126 or 127 as in a shell.
package pluginhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Runner runs hooks. It keeps no state: one Runner may be used by several goroutines at once, and copied.
type Runner struct {
	Path      string        // PLUGIN_PATH
	Env       []string      // environment of the hooks; nil: os.Environ()
	Exec      Exec          // nil: OSExec
	Parallel  bool          // Trigger: start all hooks at once
	KeepGoing bool          // Broadcast: run the rest after a failure, report all
	Timeout   time.Duration // per hook; 0: none
	Trace     io.Writer     // nil: no trace
	WorkDir   string        // the hooks' working directory; "": ours
}

// Trigger runs the hooks as a pipeline: stdin goes to the first, the output of each to the next, that of the last to
// stdout, and all diagnostics to stderr. The first hook that fails ends it; what hooks before it printed is dropped.
//
// A stdin that is an *os.File is handed to the first hook as it is, so that what the hook does not read stays there
// for the caller; but a terminal is not, the hook finds an empty input instead. Other readers are copied.
func (r *Runner) Trigger(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, hook string, args ...string) error {
	hooks, err := Find(r.Path, hook)
	if err != nil || len(hooks) == 0 {
		return err
	}
	if f, ok := stdin.(*os.File); ok && (f == nil || isTerminal(f)) {
		stdin = nil
	}
	b := r.batch(stderr, args)
	if r.Parallel && len(hooks) > 1 {
		return b.parallel(ctx, hooks, stdin, stdout)
	}
	return b.serial(ctx, hooks, stdin, stdout)
}

// batch is what the hooks of one Trigger or Broadcast share.
type batch struct {
	r      *Runner
	exec   Exec
	env    []string
	args   []string
	stderr io.Writer
	trace  io.Writer
}

func (r *Runner) batch(stderr io.Writer, args []string) *batch {
	b := &batch{r: r, exec: r.Exec, env: r.Env, args: args, stderr: stderr, trace: r.Trace}
	if b.exec == nil {
		b.exec = OSExec
	}
	if b.env == nil {
		b.env = os.Environ()
	}
	return b
}

// serial runs the hooks one after another. Between two of them lies an unlinked file: the hook writes into it by
// itself, so that no output is ever copied or held in memory here, and at most two such files exist at a time.
func (b *batch) serial(ctx context.Context, hooks []Hook, stdin io.Reader, stdout io.Writer) error {
	var between *os.File
	defer func() { between.Close() }() // of a nil file: no harm
	last := len(hooks) - 1
	for _, h := range hooks[:last] {
		next, err := b.stage(ctx, h, stdin)
		between.Close()
		if between = next; err != nil {
			return err
		}
		stdin = next
	}
	return b.run(ctx, hooks[last], stdin, stdout, nil)
}

// stage runs a hook that is not the last and returns what it printed, ready to be read.
func (b *batch) stage(ctx context.Context, h Hook, stdin io.Reader) (*os.File, error) {
	out, err := newSpool()
	if err != nil {
		return nil, fmt.Errorf("cannot keep the output of hook %q: %w", h.Path, err)
	}
	if err := b.run(ctx, h, stdin, out, nil); err != nil {
		out.Close()
		return nil, err
	}
	next, held, err := turn(out)
	if err != nil {
		return nil, fmt.Errorf("cannot keep the output of hook %q: %w", h.Path, err)
	}
	if held {
		b.warn("hook %q left a process behind that holds its output; what it still prints is lost", h.Path)
	}
	return next, nil
}

// run runs one hook. Whatever it returns as an error is an [*ExitError], or has one in its chain.
func (b *batch) run(ctx context.Context, h Hook, stdin io.Reader, stdout io.Writer, started func(pid int)) error {
	if ctx.Err() != nil {
		return cancelled(ctx, h.Path, true)
	}
	if b.trace != nil {
		b.printf(b.trace, "+ %s\n", strings.Join(append([]string{h.Path}, b.args...), " "))
	}
	err := Limit(b.exec, b.r.Timeout)(ctx, &Call{
		Hook: h.Name, Path: h.Path, Dir: h.Dir,
		Args: b.args, Env: b.env,
		Stdin: stdin, Stdout: stdout, Stderr: b.stderr,
		WorkDir: b.r.WorkDir, Runner: b.r, started: started,
	})
	var exit *ExitError
	switch {
	case err == nil || errors.As(err, &exit):
		return err
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
		return cancelled(ctx, h.Path, false)
	case errors.Is(err, syscall.EPIPE):
		return &ExitError{Path: h.Path, Code: 128 + int(syscall.SIGPIPE), Signal: syscall.SIGPIPE, Err: err}
	}
	return &ExitError{Path: h.Path, Code: 1, Err: err}
}

// warn prints a line on stderr about something that is not an error.
func (b *batch) warn(format string, args ...any) { warn(b.stderr, format, args...) }

// printMu keeps lines whole that several goroutines print to one writer.
var printMu sync.Mutex

func (b *batch) printf(w io.Writer, format string, args ...any) {
	printMu.Lock()
	defer printMu.Unlock()
	fmt.Fprintf(w, format, args...)
}
