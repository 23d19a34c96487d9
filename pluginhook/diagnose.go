package pluginhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// cannotStart finds out why a file cannot be started, which the error of execve(2) rarely tells: it is the same for a
// missing file and a missing interpreter, or for a file without the execute bit and one on a noexec file system.
func cannotStart(path string, err error) *ExitError {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		errno = syscall.EINVAL // a NUL byte in an argument, which never reaches the kernel
	}
	e := &ExitError{Path: path, Code: StatusNotExecutable}
	reason := errno.Error()
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP:
		e.Code, reason = StatusNotFound, whyMissing(path, reason)
	case syscall.EACCES:
		reason = whyDenied(path, reason)
	case syscall.ENOEXEC:
		reason = "exec format error"
		if head, _ := firstLine(path); !strings.HasPrefix(head, "#!") && !strings.HasPrefix(head, "\x7fELF") {
			reason += " (its first line has to name an interpreter: #!/bin/sh)"
		}
	case syscall.EINVAL:
		if !strings.Contains(err.Error(), "exec") {
			reason = err.Error()
		}
	}
	e.Err = &startError{reason: reason, err: errno}
	return e
}

func whyMissing(path, reason string) string {
	if _, err := os.Stat(path); err != nil {
		if target, err := os.Readlink(path); err == nil {
			return fmt.Sprintf("its link to %q leads nowhere", target)
		}
		return reason
	}
	head, _ := firstLine(path)
	interp := interpreter(head)
	switch {
	case interp == "":
		return "its dynamic loader is missing"
	case strings.HasSuffix(head, "\r"):
		return fmt.Sprintf("interpreter %q not found: its first line ends in a carriage return", interp)
	}
	return fmt.Sprintf("interpreter %q not found", interp)
}

func whyDenied(path, reason string) string {
	info, err := os.Stat(path)
	if err != nil {
		return reason
	}
	var fsinfo unix.Statfs_t
	switch {
	case info.IsDir():
		return "it is a directory"
	case info.Mode()&0o111 == 0:
		return "no execute permission (chmod +x it)"
	case unix.Statfs(path, &fsinfo) == nil && fsinfo.Flags&unix.ST_NOEXEC != 0:
		return "its file system is mounted noexec"
	case unix.Access(path, unix.X_OK) != nil:
		return "no execute permission for this user"
	}
	if head, err := firstLine(path); err == nil {
		if interp := interpreter(head); interp != "" {
			return fmt.Sprintf("interpreter %q: permission denied", interp)
		}
	}
	return reason
}

// interpreter is the program that a first line names, as the kernel reads it; "" if it names none.
func interpreter(head string) string {
	rest, ok := strings.CutPrefix(head, "#!")
	if !ok {
		return ""
	}
	rest = strings.Trim(rest, " \t")
	if i := strings.IndexAny(rest, " \t"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

func endsInCR(path string) bool {
	head, err := firstLine(path)
	return err == nil && strings.HasPrefix(head, "#!") && strings.HasSuffix(head, "\r")
}

// firstLine reads the first line of a file, as much of it as the kernel would look at.
func firstLine(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return "", fs.ErrInvalid
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	buf := make([]byte, 256)
	n, err := io.ReadFull(f, buf)
	if n == 0 && err != nil {
		return "", err
	}
	head, _, _ := bytes.Cut(buf[:n], []byte("\n"))
	return string(head), nil
}

// check foretells the error of execve(2).
func check(path string) error {
	var err error
	if info, statErr := os.Stat(path); statErr != nil {
		err = statErr
	} else if info.IsDir() {
		err = syscall.EACCES
	} else if err = unix.Access(path, unix.X_OK); err == nil {
		head, readErr := firstLine(path)
		interp := interpreter(head)
		switch {
		case readErr != nil && info.Size() > 0:
			return nil // one may execute what one may not read
		case strings.HasPrefix(head, "\x7fELF"):
			return nil
		case interp == "":
			err = syscall.ENOEXEC
		default:
			if _, err = os.Stat(interp); err == nil {
				err = unix.Access(interp, unix.X_OK)
			}
		}
	}
	if err == nil {
		return nil
	}
	return cannotStart(path, err)
}
