package pluginhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoPath says that there is no PLUGIN_PATH to look for hooks in.
var ErrNoPath = errors.New("cannot look for plugins: no plugin path given")

// Statuses that are not the hook's own. They are those of a shell and of timeout(1).
const (
	StatusTimeout       = 124 // it ran past its deadline and was ended
	StatusNotExecutable = 126 // its file cannot be executed
	StatusNotFound      = 127 // its file or the file's interpreter is missing
)

// ExitError is a hook's non-zero status.
type ExitError struct {
	Path   string
	Code   int            // 1..255; 128+n when a signal ended the hook; 126/127 when it could not be started
	Signal syscall.Signal // 0 unless a signal ended it
	Err    error          // why, where there is more to say than the code; may be nil
}

// Error names the hook and what became of it, in one line.
func (e *ExitError) Error() string {
	switch err := e.Err.(type) {
	case *startError:
		return fmt.Sprintf("cannot run hook %q: %s", e.Path, err.reason)
	case *notStarted:
		return fmt.Sprintf("cannot run hook %q: %v", e.Path, err)
	case *deadlineError:
		return fmt.Sprintf("hook %q %v", e.Path, err)
	}
	switch {
	case e.Signal != 0:
		return fmt.Sprintf("hook %q was ended by signal %s (status %d)", e.Path, signalName(e.Signal), e.Code)
	case e.Err != nil:
		return fmt.Sprintf("hook %q failed: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("hook %q failed: exit status %d", e.Path, e.Code)
}

// Unwrap returns e.Err.
func (e *ExitError) Unwrap() error { return e.Err }

// startError is the reason why a file could not be started.
type startError struct {
	reason string
	err    error
}

func (e *startError) Error() string { return e.reason }
func (e *startError) Unwrap() error { return e.err }

// deadlineError is the cause of a context that ran out of time. d 0: the deadline was the caller's.
type deadlineError struct{ d time.Duration }

func (e *deadlineError) Error() string {
	if e.d == 0 {
		return "exceeded its deadline"
	}
	return fmt.Sprintf("exceeded its deadline of %v", e.d)
}

func (e *deadlineError) Unwrap() error { return context.DeadlineExceeded }

// notStarted is the cause of a context that ended before the hook's turn came.
type notStarted struct{ cause error }

func (e *notStarted) Error() string { return e.cause.Error() }
func (e *notStarted) Unwrap() error { return e.cause }

// SignalError is the cause of a context that a signal ended.
type SignalError struct{ Signal syscall.Signal }

// Error names the signal.
func (e *SignalError) Error() string { return "ended by signal " + signalName(e.Signal) }

// cancelled is the error of a hook that ctx ended, or that it kept from being started.
func cancelled(ctx context.Context, path string, early bool) *ExitError {
	e := &ExitError{Path: path, Err: context.Cause(ctx)}
	var sig *SignalError
	switch {
	case errors.As(e.Err, &sig):
		e.Signal = sig.Signal
	case errors.Is(e.Err, context.DeadlineExceeded):
		e.Code = StatusTimeout
		if _, ours := e.Err.(*deadlineError); !ours {
			e.Err = &deadlineError{}
		}
	default:
		e.Signal = syscall.SIGTERM
	}
	if e.Signal != 0 {
		e.Code = 128 + int(e.Signal)
	}
	if early {
		e.Err = &notStarted{e.Err}
	}
	return e
}

// signalName is the name as kill(1) has it: TERM.
func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	return fmt.Sprint(int(s))
}
