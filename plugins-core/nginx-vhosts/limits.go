package nginxvhosts

import (
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFiles is how many files nginx' master may have open: each app has two for logs.
const openFiles = 65536

// allowFiles lets the programs that we start from now on have as many files open as we may. Go has raised its own
// limit, and gives them the one that it found, by which nginx could test no more than some 500 apps, unless it is set.
func allowFiles() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // else nginx says that it is not enough
	}
}

// raiseFiles has a process that runs be allowed so many open files, unless it is allowed more.
func raiseFiles(pid int, files uint64) error {
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil || limit.Cur >= files {
		return err
	}
	limit.Cur, limit.Max = files, max(files, limit.Max)
	return unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil)
}

// lacksFiles tells whether nginx' reason is that it may open no more files, which is no app's doing.
func lacksFiles(message string) bool {
	return slices.ContainsFunc([]string{"(24: Too many open files)", "(23: Too many open files in system)", ":Too many open files:calling "},
		func(words string) bool { return strings.Contains(message, words) })
}
