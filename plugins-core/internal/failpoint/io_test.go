package failpoint

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestParseFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ioFault{
		"1:EIO":               {n: 1, errno: syscall.EIO},
		"12+:ENOSPC":          {n: 12, onwards: true, errno: syscall.ENOSPC},
		"3:EDQUOT:/tmp/a:b c": {n: 3, errno: syscall.EDQUOT, counter: "/tmp/a:b c"},
	} {
		if got, err := parseFault(text); err != nil || *got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"1", "0:EIO", "-1:EIO", "+:EIO", "x:EIO", "1:EPERM", "1:", ":EIO", "1++:EIO"} {
		if got, err := parseFault(text); err == nil {
			t.Errorf("%s: got %+v, want an error", text, got)
		}
	}
}

// TestIO runs unarmed: whatever is done, nothing fails.
func TestIO(t *testing.T) {
	t.Parallel()
	if err := IO("write", "/x"); err != nil || os.Getenv(IOEnv) != "" {
		t.Errorf("got %v with %s=%q", err, IOEnv, os.Getenv(IOEnv))
	}
}

// TestCount has two of a kind count together, as two processes do.
func TestCount(t *testing.T) {
	t.Parallel()
	counter := filepath.Join(t.TempDir(), "counter")
	for want := 1; want < 6; want++ {
		f := &ioFault{counter: counter}
		if n, err := f.count("write", "/a\nb"); err != nil || n != want {
			t.Errorf("got %d, %v, want %d", n, err, want)
		}
	}
	if _, err := (&ioFault{counter: counter + "/none"}).count("write", "/a"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("got %v, want that the counter cannot be", err)
	}
}
