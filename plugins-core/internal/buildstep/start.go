package buildstep

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// profile is what a shell does before it becomes the app: variables of the buildpack, then the command.
const profile = `for f in /app/.profile.d/*.sh; do if [ -r "$f" ]; then . "$f"; fi; done; hash -r; cd /app || exit 1; `

// start runs the command line of a process type.
func start(args []string) error {
	if len(args) != 1 {
		return usageError("cannot start: give one process type")
	}
	line, err := command(args[0])
	if err != nil {
		return err
	}
	return supervise([]string{"/bin/bash", "-c", profile + line})
}

// execute runs a command with the app's environment, its arguments as they are.
func execute(args []string) error {
	if len(args) == 0 {
		return usageError("cannot execute nothing: give a command")
	}
	return supervise(append([]string{"/bin/bash", "-c", profile + `exec "$@"`, "exec"}, args...))
}

// supervise runs the app as its own user and in its own process group, and is the container's first process for it:
// the signals that the engine sends go to the whole group, and orphans are buried.
func supervise(argv []string) error {
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Env: append(os.Environ(), "HOME="+appDir), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if term.IsTerminal(0) {
		cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, 0
	}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: userID, Gid: userID}
		for fd := range 3 { // so that the app may open /dev/stdout
			_ = unix.Fchown(fd, userID, userID) // not a file that can be given away: no loss
		}
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the app: %w", err)
	}
	go func() {
		for s := range signals {
			_ = unix.Kill(-cmd.Process.Pid, s.(syscall.Signal)) // it may have ended
		}
	}()
	return reap(cmd.Process.Pid)
}

// reap waits for the app and for every orphan that becomes ours meanwhile, and exits as the app did. A shell that was
// ended by a signal may leave behind, in the app's process group, the program that it ran and that takes its time over the
// same signal: the end of the container would cut that short.
func reap(pid int) error {
	var end error
	ended := false
	for !ended || unix.Kill(-pid, 0) == nil {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil && ended:
			return end
		case err != nil:
			return fmt.Errorf("cannot wait for the app: %w", err)
		case got != pid:
		case ws.Exited() && ws.ExitStatus() == 0:
			return nil
		case ws.Exited():
			return statusError(ws.ExitStatus())
		case ws.Signaled():
			end, ended = statusError(128+int(ws.Signal())), true
		}
	}
	return end
}

// statusError is the app's own status, of which there is nothing to say.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("the app ended with status %d", int(e)) }
