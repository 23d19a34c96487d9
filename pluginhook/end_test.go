package pluginhook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
)

// TestTimeout has hooks that never end, one of which also has a child.
func TestTimeout(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		mark := "HOOK_MARK=timeout" + t.TempDir()
		r.Env = append(os.Environ(), mark)
		r.Path = plugins(t, map[string]string{"a/text": "#!/bin/sh\nsleep 60 &\nsleep 60\n", "b/text": "#!/bin/sh\ncat\n"})
		r.Timeout = 100 * time.Millisecond
		got := do(t, r, "")
		var exit *pluginhook.ExitError
		if !errors.As(got.fail, &exit) || exit.Code != 124 || !errors.Is(got.fail, context.DeadlineExceeded) {
			t.Fatalf("got %v", got.fail)
		}
		if want := `hook "` + r.Path + `/a/text" exceeded its deadline of 100ms`; got.fail.Error() != want {
			t.Errorf("got %q, want %q", got.fail, want)
		}
		if n := left(mark); n != 0 || got.took > 5*time.Second {
			t.Errorf("%d processes left after %v", n, got.took)
		}
	})
}

// TestStubborn has a hook that ignores TERM, whose leader ends on it but whose child does not, and one that is stopped.
func TestStubborn(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes the five seconds of grace")
	}
	for _, text := range []string{
		"#!/bin/sh\ntrap '' TERM\nsleep 60\n",
		"#!/bin/sh\n(trap '' TERM; sleep 60) &\nexec sleep 60\n",
		"#!/bin/sh\nkill -STOP $$\n",
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			mark := "HOOK_MARK=stubborn" + t.TempDir()
			r := &pluginhook.Runner{
				Path: plugins(t, map[string]string{"a/text": text}), Env: append(os.Environ(), mark), Timeout: 200 * time.Millisecond,
			}
			got := do(t, r, "")
			if got.fail == nil || got.took > 7*time.Second {
				t.Errorf("got %v after %v", got.fail, got.took)
			}
			eventually(t, "no process left", func() bool { return left(mark) == 0 })
		})
	}
}

// TestCancel ends the context with each cause while the second of three hooks runs.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cause error
		code  int
		heard string
	}{
		{&pluginhook.SignalError{Signal: syscall.SIGHUP}, 129, "HUP"},
		{&pluginhook.SignalError{Signal: syscall.SIGINT}, 130, "INT"},
		{&pluginhook.SignalError{Signal: syscall.SIGTERM}, 143, "TERM"},
		{errors.New("changed my mind"), 143, "TERM"},
		{nil, 143, "TERM"},
		{context.DeadlineExceeded, 124, "TERM"},
	} {
		t.Run(fmt.Sprint(test.cause), func(t *testing.T) {
			t.Parallel()
			path := plugins(t, map[string]string{
				"a/text": "#!/bin/sh\n", "c/text": "#!/bin/sh\necho never\n",
				"b/text": "#!/bin/sh\nfor s in HUP INT TERM; do trap \"echo $s >&2; exit 0\" $s; done\necho up >&2\nwhile :; do sleep 0.01; done\n",
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var out bytes.Buffer
			log := &lines{seen: func(line string) {
				if line == "up" {
					cancel(test.cause)
				}
			}}
			err := (&pluginhook.Runner{Path: path}).Trigger(ctx, nil, &out, log, "text")
			var exit *pluginhook.ExitError
			if !errors.As(err, &exit) || exit.Code != test.code || exit.Path != path+"/b/text" {
				t.Errorf("got %v, want status %d", err, test.code)
			}
			// Between them, a shell may say what became of its own child.
			if said := log.String(); !strings.HasPrefix(said, "up\n") || !strings.HasSuffix(said, "\n"+test.heard+"\n") || out.Len() > 0 {
				t.Errorf("the hook said %q, want %q; output %q", said, test.heard, &out)
			}
		})
	}
}

// lines calls seen with each line that is written, in the form in which sh's echo does it: whole.
type lines struct {
	bytes.Buffer
	seen func(string)
}

func (l *lines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		l.seen(strings.TrimSuffix(line, "\n"))
	}
	return l.Buffer.Write(p)
}

func TestCancelledBefore(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = plugins(t, map[string]string{"a/text": "#!/bin/sh\necho x >&2\n", "b/text": "#!/bin/sh\necho x >&2\n"})
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(&pluginhook.SignalError{Signal: syscall.SIGINT})
		var errs bytes.Buffer
		err := r.Trigger(ctx, nil, &errs, &errs, "text")
		if want := `cannot run hook "` + r.Path + `/a/text": ended by signal INT`; err == nil || err.Error() != want || errs.Len() > 0 {
			t.Errorf("got %v, %q", err, &errs)
		}
	})
}

// TestLeftBehind has a background child that keeps the hook's output open, while the last reader is a pipe of ours.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		mark := "HOOK_MARK=behind" + t.TempDir()
		r.Env = append(os.Environ(), mark)
		const leaves = "#!/bin/sh\ncat\nsleep 30 2>&- &\necho kept\n"
		r.Path = plugins(t, map[string]string{"a/text": leaves, "b/text": leaves})
		got := do(t, r, "in\n")
		if got.fail != nil || got.out != "in\nkept\nkept\n" || strings.Count(got.err, "left a process behind") != 2 {
			t.Errorf("got %+v", got)
		}
		if got.took > 6*time.Second {
			t.Errorf("took %v", got.took)
		}
		for _, pid := range pids(mark) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// TestDaemon has a hook that starts a daemon properly: neither a warning nor a signal.
func TestDaemon(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		mark := "HOOK_MARK=daemon" + t.TempDir()
		r.Env = append(os.Environ(), mark)
		r.Path = plugins(t, map[string]string{"a/text": "#!/bin/sh\nsleep 30 </dev/null >/dev/null 2>&1 &\necho on\n", "b/text": "#!/bin/sh\ncat\n"})
		got := do(t, r, "")
		if got.fail != nil || got.out != "on\n" || got.err != "" || got.took > 5*time.Second {
			t.Errorf("got %+v", got)
		}
		if n := left(mark); n != 1 {
			t.Errorf("%d daemons run, want 1", n)
		}
		for _, pid := range pids(mark) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// TestEarlyReader has a next hook that does not want all of the data.
func TestEarlyReader(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = plugins(t, map[string]string{"a/text": "#!/bin/sh\nexec head -c 10000000 /dev/zero\n", "b/text": "#!/bin/sh\nhead -c 1\necho enough\n"})
		if got := do(t, r, ""); got.fail != nil || got.out != "\x00enough\n" || got.err != "" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestKilledInThePipe kills each of three hooks in turn.
func TestKilledInThePipe(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		for i, victim := range []string{"a", "b", "c"} {
			files := map[string]string{"a/text": "#!/bin/sh\nexec cat\n", "b/text": "#!/bin/sh\nexec cat\n", "c/text": "#!/bin/sh\nexec cat\n"}
			files[victim+"/text"] = "#!/bin/sh\nkill -KILL $$\n"
			r := &pluginhook.Runner{Parallel: r.Parallel, Path: plugins(t, files)}
			got := do(t, r, strings.Repeat("x", 1<<20))
			want := fmt.Sprintf("hook %q was ended by signal KILL (status 137)", r.Path+"/"+victim+"/text")
			if got.fail == nil || got.fail.Error() != want || i < 2 && got.out != "" {
				t.Errorf("got %v, want %s", got.fail, want)
			}
		}
	})
}

func TestWithSignals(t *testing.T) {
	ctx, stop := pluginhook.WithSignals(t.Context())
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	var sig *pluginhook.SignalError
	if err := context.Cause(ctx); !errors.As(err, &sig) || sig.Signal != syscall.SIGHUP {
		t.Errorf("got %v", err)
	}
}
