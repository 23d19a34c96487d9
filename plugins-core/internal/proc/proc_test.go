package proc_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
)

func path() []string { return []string{"PATH=" + os.Getenv("PATH")} }

func TestOutput(t *testing.T) {
	t.Parallel()
	got, err := proc.Output(t.Context(), proc.Cmd{Args: []string{"sh", "-c", `cat; echo "$0 $1 $A $PWD"; echo noise >&2`, "a b", "$HOME"},
		Env: append(path(), "A=1"), Dir: "/", Stdin: strings.NewReader("in\n")})
	if want := "in\na b $HOME 1 /\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	var exit *exec.ExitError
	_, err = proc.Output(t.Context(), proc.Cmd{Args: []string{"sh", "-c", "echo why >&2; exit 3"}, Env: path()})
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.HasPrefix(err.Error(), "why: ") {
		t.Errorf("got %v, want the status and the reason", err)
	}
}

// TestEnvironment states all of the program's environment.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	got, err := proc.Output(t.Context(), proc.Cmd{Args: []string{"env"}, Env: append(path(), "A=1")})
	if want := path()[0] + "\nA=1\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestLookPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"good": 0o755, "plain": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=:/nonexistent:" + dir}
	for program, want := range map[string]string{"good": dir + "/good", "/abs/x": "/abs/x", "./rel": "./rel"} {
		if got, err := proc.LookPath(env, program); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", program, got, err, want)
		}
	}
	for _, program := range []string{"plain", "dir", "none", ""} {
		if got, err := proc.LookPath(env, program); err == nil {
			t.Errorf("%s: got %q, want an error", program, got)
		}
	}
	if _, err := proc.LookPath(nil, "sh"); err == nil {
		t.Error("no PATH: got no error")
	}
}

// TestEnded ends a program with all of its children, at a deadline and when its caller gives up.
func TestEnded(t *testing.T) {
	t.Parallel()
	gone := errors.New("the pusher has gone")
	for _, c := range []struct {
		what    string
		timeout time.Duration
		want    string
	}{{"deadline", 300 * time.Millisecond, "did not end within 300ms"}, {"given up", 0, gone.Error()}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		child := &watch{seen: func() {
			if c.timeout == 0 {
				cancel(gone)
			}
		}}
		start := time.Now()
		err := proc.Run(ctx, proc.Cmd{Args: []string{"sh", "-c", `trap "" TERM; sleep 1000 & echo "$!"; wait; wait`}, Env: path(), Stdout: child, Timeout: c.timeout})
		if err == nil || !strings.Contains(err.Error(), c.want) || time.Since(start) > 20*time.Second {
			t.Errorf("%s: got %v after %v, want %q", c.what, err, time.Since(start), c.want)
		}
		pid := child.pid(t)
		for deadline := time.Now().Add(10 * time.Second); alive(t, pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the program's child still runs", c.what)
			}
		}
		cancel(nil)
	}
}

// TestDeadline has the context's deadline count, however long it is, and tells nobody the arguments.
func TestDeadline(t *testing.T) {
	t.Parallel()
	late := errors.New("the limit is 100ms")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, late)
	defer cancel()
	if err := proc.Run(ctx, proc.Cmd{Args: []string{"sleep", "1000"}, Env: path()}); !errors.Is(err, late) {
		t.Errorf("got %v, want %v", err, late)
	}
	err := proc.Run(t.Context(), proc.Cmd{Args: []string{"sleep", "1000"}, Env: path(), Timeout: 100 * time.Millisecond})
	if want := "sleep did not end within 100ms"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// watch notes the number of a child, and calls seen when it is there.
type watch struct {
	buf  bytes.Buffer
	seen func()
}

func (w *watch) Write(p []byte) (int, error) {
	w.buf.Write(p)
	w.seen()
	return len(p), nil
}

func (w *watch) pid(t *testing.T) string {
	t.Helper()
	pid := strings.TrimSpace(w.buf.String())
	if pid == "" {
		t.Fatal("the program did not start")
	}
	return pid
}

// alive tells whether the process runs; one that waits to be buried does not.
func alive(t *testing.T, pid string) bool {
	t.Helper()
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return rest != "" && rest[0] != 'Z'
}

// TestLeftBehind has a program end whose child keeps its output open.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	start := time.Now()
	err := proc.Run(t.Context(), proc.Cmd{Args: []string{"sh", "-c", "sleep 30 & echo $!"}, Env: path(), Stdout: &out})
	if err != nil || time.Since(start) > 20*time.Second {
		t.Errorf("got %v after %v, want success without the child", err, time.Since(start))
	}
	if err := exec.Command("kill", strings.TrimSpace(out.String())).Run(); err != nil {
		t.Error(err)
	}
}
