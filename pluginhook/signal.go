package pluginhook

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// WithSignals returns a context that TERM, INT and HUP cancel; the cause is a [*SignalError], which OSExec forwards to
// the running hook's process group. A signal that was ignored when this process started stays ignored, for us and for
// the hooks, so that nohup and background jobs work. stop gives the signals back and ends the context.
func WithSignals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ch := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(ch, s)
		}
	}
	go func() {
		select {
		case s := <-ch:
			cancel(&SignalError{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(ch)
		cancel(context.Canceled)
	}
}
