// Package hookcmd is the pluginhook command: flags, environment and exit status around package pluginhook.
//
//	pluginhook [FLAGS] HOOK [ARG...]
//
// Flags come before the hook's name only, everything after it belongs to the hooks. PLUGIN_PATH names the directory of
// the plugins; PLUGINHOOK_TRACE, set to anything, is the same as --trace. The exit status is that of the first hook
// that failed, 1 if the command itself could not do its work, 2 if it was called wrongly.
package hookcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
)

// The environment of the command.
const (
	pathEnv  = "PLUGIN_PATH"      // the directory of the plugins
	traceEnv = "PLUGINHOOK_TRACE" // not empty: trace
)

// options is what the command line says.
type options struct {
	parallel, trace, broadcast, keepGoing, stdin, list bool

	timeout time.Duration
	args    []string // hook and its arguments
}

// Main runs the command and returns its exit status. args[0] is the program's name.
func Main(args []string) int {
	// Most calls have no flag, and are so short that setting up a flag parser would be a good part of them.
	if len(args) > 1 && !strings.HasPrefix(args[1], "-") {
		return status(run(&options{args: args[1:]}))
	}
	return status(parse(args, run))
}

// run does what the options say.
func run(o *options) error {
	path := os.Getenv(pathEnv)
	if path == "" {
		return &logError{"Unable to locate plugins: set $" + pathEnv}
	}
	if len(o.args) == 0 {
		return &logError{"Hook name argument is required"}
	}
	if o.list {
		return list(path, o.args[0])
	}
	r := &pluginhook.Runner{Path: path, Parallel: o.parallel, KeepGoing: o.keepGoing, Timeout: o.timeout}
	if o.trace || os.Getenv(traceEnv) != "" {
		r.Trace = os.Stderr
	}
	hook, args := o.args[0], o.args[1:]
	// The runner looks for the hooks itself; to look before that is worth it because most calls find none, and then
	// need not get ready for signals, which costs more than all the rest.
	if hooks, err := pluginhook.Find(path, hook); err != nil || len(hooks) == 0 {
		return err
	}
	ctx, stop := pluginhook.WithSignals(context.Background())
	defer stop()
	if !o.broadcast {
		return r.Trigger(ctx, os.Stdin, os.Stdout, os.Stderr, hook, args...)
	}
	var stdin io.Reader
	if o.stdin {
		stdin = os.Stdin
	}
	return r.Broadcast(ctx, stdin, os.Stdout, os.Stderr, hook, args...)
}

// list prints the hooks that would run, and a note about those that cannot.
func list(path, hook string) error {
	hooks, err := pluginhook.Find(path, hook)
	if err != nil {
		return err
	}
	for _, h := range hooks {
		if _, err := fmt.Println(h.Path); err != nil {
			return fmt.Errorf("cannot write the list: %w", err)
		}
		if err := h.Check(); err != nil {
			fmt.Fprintf(os.Stderr, "pluginhook: note: %v\n", err)
		}
	}
	return nil
}

// status prints an error, the one place that does, and turns it into the exit status.
func status(err error) int {
	var (
		logged *logError
		usage  *usageError
		exit   *pluginhook.ExitError
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &logged):
		// The form of these two lines is older than this program; scripts may look for it.
		fmt.Fprintf(os.Stderr, "%s [ERROR] %s\n", time.Now().Format("2006/01/02 15:04:05"), logged.text)
		return 1
	case errors.As(err, &exit) && exit.Signal == syscall.SIGPIPE && err == error(exit):
		return exit.Code // nobody reads our output any more: not worth a line, as for any other program
	}
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		fmt.Fprintf(os.Stderr, "pluginhook: %s\n", line)
	}
	switch {
	case errors.As(err, &usage):
		return 2
	case exit != nil && exit.Code > 0:
		return exit.Code
	}
	return 1
}

// logError is an error that is printed with the time.
type logError struct{ text string }

func (e *logError) Error() string { return e.text }

// usageError says that the command was called wrongly.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text + " (see pluginhook --help)" }
