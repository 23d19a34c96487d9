package pluginhook

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Call is one run of one hook.
type Call struct {
	Hook, Path, Dir string
	WorkDir         string // the working directory; "": ours
	Args, Env       []string
	Stdin           io.Reader // nil: /dev/null
	Stdout, Stderr  io.Writer // nil: /dev/null
	Runner          *Runner   // who makes the call, so that a hook written in Go can trigger others; may be nil

	started func(pid int) // called by OSExec when the process has its copies of the files; may be nil
}

// Exec runs one hook; a non-zero status comes back as *ExitError.
type Exec func(ctx context.Context, c *Call) error

// Func is a hook written in Go.
type Func = Exec

// grace is the time between the signal that asks a hook to end and the KILL that makes it.
const grace = 5 * time.Second

// Limit is exec with a deadline: a run that takes longer than d is ended, and its error is an [*ExitError] with
// [StatusTimeout] that says so. d 0 is no limit.
func Limit(exec Exec, d time.Duration) Exec {
	if d <= 0 {
		return exec
	}
	return func(ctx context.Context, c *Call) error {
		ctx, cancel := context.WithTimeoutCause(ctx, d, &deadlineError{d})
		defer cancel()
		err := exec(ctx, c)
		var exit *ExitError
		if err != nil && !errors.As(err, &exit) && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			return cancelled(ctx, c.Path, false)
		}
		return err
	}
}

// OSExec runs the hook file as a process. It is the default Exec.
//
// A Stdin, Stdout or Stderr that is an *os.File is handed over as it is; others are connected by pipes that this
// process copies. The working directory is c.WorkDir, whatever c.Dir says.
//
// The process leads a process group of its own, unless its Stdin is a terminal: a background group could not read
// there. When ctx ends, the group gets the signal that ended it (see [WithSignals]), otherwise TERM, and KILL after
// five seconds (what the hook leaves behind at another signal gets TERM, too); OSExec returns when no process of the group is left, with an error even if the hook's status was 0. A
// hook that ends by itself may leave processes behind, they are not waited for: if they hold one of our pipes, that is
// read for two seconds more, and a warning goes to Stderr. When this process is killed, the hook gets a TERM.
func OSExec(ctx context.Context, c *Call) error {
	if ctx.Err() != nil {
		return cancelled(ctx, c.Path, true)
	}
	p := plumbing{}
	if err := p.connect(c); err != nil {
		p.abandon()
		return &ExitError{Path: c.Path, Code: 1, Err: err}
	}
	// The kernel ties the signal that a child gets at our death to the thread that made the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own := !isTerminal(p.files[0])
	proc, err := start(c, &p, own)
	if err != nil {
		p.abandon()
		return err
	}
	p.closeChildEnds()
	if c.started != nil {
		c.started(proc.Pid)
	}
	child := &child{proc: proc, group: own, exited: make(chan struct{})}
	state, ended, err := child.wait(ctx)
	held, copyErr := p.finish()
	if held {
		warn(c.Stderr, "hook %q left a process behind that holds its output; not waiting for it", c.Path)
	}
	switch {
	case ended:
		return cancelled(ctx, c.Path, false)
	case err != nil:
		return &ExitError{Path: c.Path, Code: 1, Err: err}
	case copyErr != nil && (state.Success() || signalOf(state) == syscall.SIGPIPE):
		return &ExitError{Path: c.Path, Code: 1, Err: copyErr}
	case state.Success():
		return nil
	}
	return exitError(c.Path, state)
}

func signalOf(state *os.ProcessState) syscall.Signal {
	if ws := state.Sys().(syscall.WaitStatus); ws.Signaled() {
		return ws.Signal()
	}
	return 0
}

// exitError is the error of a process that ended badly by itself.
func exitError(path string, state *os.ProcessState) *ExitError {
	if sig := signalOf(state); sig != 0 {
		return &ExitError{Path: path, Code: 128 + int(sig), Signal: sig}
	}
	e := &ExitError{Path: path, Code: state.ExitCode()}
	if e.Code == StatusNotFound && endsInCR(path) {
		// "#!/usr/bin/env sh\r": env has said that it finds no sh, which looks like a lie on a screen.
		e.Err = errors.New("exit status 127: its first line ends in a carriage return")
	}
	return e
}

// start starts the process. Two failures pass by themselves: a file just written is busy while another goroutine's
// new process, between fork and exec, still has it open; and the limit of processes may be met for a moment.
func start(c *Call, p *plumbing, own bool) (*os.Process, error) {
	attr := &os.ProcAttr{
		Dir:   c.WorkDir,
		Files: p.files[:],
		Env:   dedup(c.Env),
		Sys:   &syscall.SysProcAttr{Setpgid: own, Pdeathsig: syscall.SIGTERM},
	}
	argv := append([]string{c.Path}, c.Args...)
	for pause := time.Millisecond; ; pause *= 2 {
		proc, err := os.StartProcess(c.Path, argv, attr)
		if err == nil {
			return proc, nil
		}
		if !errors.Is(err, syscall.ETXTBSY) && !errors.Is(err, syscall.EAGAIN) || pause > 256*time.Millisecond {
			return nil, cannotStart(c.Path, err)
		}
		time.Sleep(pause)
	}
}

// child is a running hook.
type child struct {
	proc   *os.Process
	group  bool // it leads a process group
	exited chan struct{}
}

// wait waits for the process, and ends it and its group when ctx ends before; ended tells which it was.
func (ch *child) wait(ctx context.Context) (state *os.ProcessState, ended bool, err error) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		ch.end(ctx)
	})
	// Until it is reaped below, its number cannot be given to another process or group that the signal would hit.
	for {
		err := unix.Waitid(unix.P_PID, ch.proc.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	close(ch.exited)
	if !stop() {
		<-done
		ended = true
	}
	state, err = ch.proc.Wait()
	return state, ended, err
}

// end asks the process and its group to end, and makes them.
func (ch *child) end(ctx context.Context) {
	sig := syscall.SIGTERM
	var cause *SignalError
	if errors.As(context.Cause(ctx), &cause) {
		sig = cause.Signal
	}
	ch.signal(sig)
	ch.signal(syscall.SIGCONT) // a stopped process would not hear of it
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-ch.exited:
	case <-timer.C:
		ch.signal(syscall.SIGKILL)
		return
	}
	if sig != syscall.SIGTERM && ch.group {
		ch.signal(syscall.SIGTERM) // a shell's background children ignore INT
	}
	for ch.group && groupAlive(ch.proc.Pid) {
		select {
		case <-timer.C:
			ch.signal(syscall.SIGKILL)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (ch *child) signal(sig syscall.Signal) {
	if ch.group {
		unix.Kill(-ch.proc.Pid, sig)
	} else {
		unix.Kill(ch.proc.Pid, sig)
	}
}

// dedup drops the earlier of two settings of a variable: getenv(3) would find that one.
func dedup(env []string) []string {
	if env == nil {
		return os.Environ()
	}
	out := make([]string, 0, len(env))
	at := make(map[string]int, len(env))
	for _, kv := range env {
		name := kv
		for i := 1; i < len(kv); i++ { // a name may begin with "="
			if kv[i] == '=' {
				name = kv[:i]
				break
			}
		}
		if i, ok := at[name]; ok {
			out[i] = kv
			continue
		}
		at[name] = len(out)
		out = append(out, kv)
	}
	return out
}
