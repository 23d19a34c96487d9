package failpoint

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// IOEnv is the environment variable that has an operation on the files of records fail: N:ERRNO[:COUNTERFILE].
//
// The N-th operation fails, counted from 1; with N+ all after it fail too, as on a disk that stays full. ERRNO is EIO,
// ENOSPC or EDQUOT. Processes that are given a COUNTERFILE count together, and write down in it what they did, a line
// for each operation.
const IOEnv = "DOKKU_FAIL_IO"

type ioFault struct {
	n       int
	onwards bool
	errno   syscall.Errno
	counter string
	err     error // the variable is wrong: every operation says so
}

var (
	readPlan sync.Once
	planned  *ioFault
)

func plan() *ioFault {
	readPlan.Do(func() {
		text := os.Getenv(IOEnv)
		if text == "" {
			return
		}
		f, err := parseFault(text)
		if err != nil {
			f = &ioFault{err: err}
		}
		planned = f
	})
	return planned
}

func parseFault(text string) (*ioFault, error) {
	errnos := map[string]syscall.Errno{"EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC, "EDQUOT": syscall.EDQUOT}
	count, rest, _ := strings.Cut(text, ":")
	name, counter, _ := strings.Cut(rest, ":")
	number, onwards := strings.CutSuffix(count, "+")
	n, err := strconv.Atoi(number)
	errno, known := errnos[name]
	if err != nil || n < 1 || !known {
		return nil, fmt.Errorf("cannot use %s=%q: give N:ERRNO or N:ERRNO:COUNTERFILE, with an ERRNO of EIO, ENOSPC or EDQUOT", IOEnv, text)
	}
	return &ioFault{n: n, onwards: onwards, errno: errno, counter: counter}, nil
}

var operations atomic.Int64

// IO is called before each operation on a file of records, and returns what that is to fail with: nil, unless this is
// the operation that the environment names.
func IO(op, path string) error {
	f := plan()
	if f == nil {
		return nil
	}
	if f.err != nil {
		return f.err
	}
	n, err := f.count(op, path)
	if err != nil {
		return err
	}
	if n == f.n || f.onwards && n > f.n {
		return f.errno
	}
	return nil
}

// count counts the operation and returns its number.
func (f *ioFault) count(op, path string) (int, error) {
	if f.counter == "" {
		return int(operations.Add(1)), nil
	}
	file, err := os.OpenFile(f.counter, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o666)
	if err != nil {
		return 0, err
	}
	defer file.Close() // which gives the lock back
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(file, "%s %q\n", op, path); err != nil {
		return 0, err
	}
	data, err := os.ReadFile(f.counter)
	return bytes.Count(data, []byte("\n")), err
}
