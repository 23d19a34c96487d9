// Package proc runs the few programs of others that core needs (git, nginx, docker's command): an argument list and
// never a shell, an environment that is stated, a process group of its own that is ended whole.
package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// DefaultTimeout ends a program that was given no deadline, neither by [Cmd] nor by its context.
const DefaultTimeout = time.Hour

// Cmd is a program to run.
type Cmd struct {
	Args           []string // program and arguments
	Dir            string
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Timeout        time.Duration // 0: the context's deadline, else DefaultTimeout
	Tied           bool          // it is killed when we are
}

// Run runs the program to its end. A non-zero status comes back as *exec.ExitError.
func Run(ctx context.Context, c Cmd) error {
	if _, bounded := ctx.Deadline(); c.Timeout == 0 && !bounded {
		c.Timeout = DefaultTimeout
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		// The arguments may be secret.
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("%s did not end within %s", c.Args[0], c.Timeout))
		defer cancel()
	}
	path, err := LookPath(c.Env, c.Args[0])
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, c.Args[1:]...)
	cmd.Args[0] = c.Args[0]
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.Tied {
		// The kernel ties it to the thread that starts it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	err = cmd.Run()
	if cmd.Process != nil && ctx.Err() != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of the group; most often nothing
	}
	switch {
	case context.Cause(ctx) == context.DeadlineExceeded:
		return fmt.Errorf("%s did not end in time", c.Args[0])
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // the program ended well; a child of its own kept the output open
	}
	return err
}

// Output runs the program and returns what it wrote to stdout; what it wrote to stderr is in the error.
func Output(ctx context.Context, c Cmd) (string, error) {
	var out, diag bytes.Buffer
	c.Stdout = &out
	if c.Stderr == nil {
		c.Stderr = &diag
	}
	err := Run(ctx, c)
	var exit *exec.ExitError
	if errors.As(err, &exit) && diag.Len() > 0 {
		err = fmt.Errorf("%s: %w", strings.TrimSpace(diag.String()), err)
	}
	return out.String(), err
}

// LookPath finds program in the PATH of env.
func LookPath(env []string, program string) (string, error) {
	if strings.Contains(program, "/") {
		return program, nil
	}
	for _, kv := range env {
		path, ok := strings.CutPrefix(kv, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range strings.Split(path, ":") {
			if dir == "" {
				continue
			}
			file := dir + "/" + program
			if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("cannot run %q: it is not in PATH; install it", program)
}
