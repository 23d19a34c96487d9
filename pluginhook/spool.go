package pluginhook

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A spool is the file between two hooks of a serial pipeline. It is a file on disk without a name, not memory: what
// hooks print is bounded by nothing, and pages of a file can leave memory. (They need not: written and read at once
// they stay in the page cache, and a disk's file system is faster there than a tmpfs, which has smaller pages.)
//
// It is opened for appending, so that a hook that opens /dev/stdout once more does not overwrite what is there.

// newSpool makes a spool in $TMPDIR, or in /var/tmp, the place for what may be too large for a /tmp in memory. Where
// there is no such directory that we may write to, memory has to do.
func newSpool() (*os.File, error) {
	dirs := []string{"/var/tmp", "/tmp"}
	if dir := os.Getenv("TMPDIR"); dir != "" {
		dirs[0] = dir
	}
	for _, dir := range dirs {
		if f, err := openSpool(dir); err == nil || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			return f, err
		}
	}
	fd, err := unix.MemfdCreate("hook-output", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_APPEND)
	return os.NewFile(uintptr(fd), "hook-output"), err
}

func openSpool(dir string) (*os.File, error) {
	for {
		fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_APPEND|unix.O_CLOEXEC, 0o600)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), dir), nil
		case unix.EINTR:
			continue
		case unix.EOPNOTSUPP, unix.EISDIR, unix.EINVAL: // the file system, or the kernel, knows no O_TMPFILE
		default:
			return nil, &os.PathError{Op: "open", Path: dir, Err: err}
		}
		f, err := os.CreateTemp(dir, "hook-output-")
		if err != nil {
			return nil, err
		}
		os.Remove(f.Name())
		_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, unix.O_APPEND)
		return f, err
	}
}

// turn closes a spool that a hook has written and returns it for reading from its begin. The reader has a file offset
// of its own, so that a process that still writes cannot move it. held tells that there is such a process.
func turn(w *os.File) (r *os.File, held bool, err error) {
	defer w.Close()
	if err := checkSpace(w); err != nil {
		return nil, false, err
	}
	// Not os.Open, which would try to poll it.
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(int(w.Fd())), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		r = os.NewFile(uintptr(fd), w.Name())
	} else { // no /proc: the one offset has to do
		fd, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, false, os.NewSyscallError("dup", err)
		}
		r = os.NewFile(uintptr(fd), w.Name())
		_, err = r.Seek(0, 0)
		return r, false, err
	}
	w.Close()
	// The kernel grants a read lease only on a file that nobody has open for writing: the cheapest way to ask. Any
	// other error than that it is busy says nothing. A process that has just been made, by another goroutine, has our
	// files for a moment, and a child of the hook may be about to end: hence some patience.
	for pause := time.Millisecond; ; pause *= 2 {
		_, err = unix.FcntlInt(r.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
		if err == nil {
			unix.FcntlInt(r.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		}
		if !errors.Is(err, unix.EAGAIN) || pause > 32*time.Millisecond {
			return r, errors.Is(err, unix.EAGAIN), nil
		}
		time.Sleep(pause)
	}
}

// checkSpace fails when the file system of a spool is full. A hook that did not look at the result of its writes may
// have lost output then, and have ended with status 0 all the same.
func checkSpace(f *os.File) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil || st.Blocks == 0 {
		return nil // a memfd, or a file system without limits
	}
	free := st.Bavail
	if os.Geteuid() == 0 {
		free = st.Bfree
	}
	if free == 0 {
		return &os.PathError{Op: "write", Path: f.Name(), Err: unix.ENOSPC}
	}
	return nil
}
