package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/queue"
)

// workerEnv makes this program a process that waits in line: the directory of the line.
const workerEnv = "QUEUE_TEST_WORKER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(workerEnv); dir != "" {
		os.Exit(work(dir))
	}
	os.Exit(m.Run())
}

// tryFile locks a file if nobody has it.
func tryFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = nil
		}
		return nil, err
	}
	return f, nil
}

// work waits in line for a lock and says on stdout how it goes; it has the lock until its stdin ends. A check for others
// who have the lock at the same time is a number in a file that is read, and written back one greater.
func work(dir string) int {
	var held *os.File
	try := func() (ok bool, err error) { held, err = tryFile(filepath.Join(dir, "lock")); return held != nil, err }
	w := queue.Wish{Entry: queue.Entry{Verb: "work", PID: os.Getpid(), Since: time.Now()}, Waiting: func(place int) { fmt.Println("place", place) }}
	if _, err := queue.Line(filepath.Join(dir, "line")).Wait(context.Background(), w, try); err != nil {
		fmt.Println("error", err)
		return 1
	}
	fmt.Println("has it")
	if count := os.Getenv("QUEUE_TEST_COUNT"); count != "" {
		data, _ := os.ReadFile(count)
		n, _ := strconv.Atoi(string(data))
		if err := os.WriteFile(count, []byte(strconv.Itoa(n+1)), 0o644); err != nil {
			return 1
		}
		return 0
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// worker is such a process.
type worker struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Scanner
}

func start(t *testing.T, dir string) *worker {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10", workerEnv+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &worker{cmd: cmd, stdin: in, out: bufio.NewScanner(out)}
}

func (w *worker) says(t *testing.T, want string) {
	t.Helper()
	if !w.out.Scan() {
		t.Fatalf("got the end (%v), want %q", w.out.Err(), want)
	}
	if got := w.out.Text(); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func (w *worker) kill(t *testing.T) {
	t.Helper()
	if err := w.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = w.cmd.Wait() // that it was killed is known
}

func tickets(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "line/[0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestOrder lets processes wait; each gets its turn in the order in which they came, and hears of each step.
func TestOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	workers := []*worker{start(t, dir)}
	workers[0].says(t, "has it")
	for i := 1; i <= 4; i++ {
		w := start(t, dir)
		w.says(t, fmt.Sprintf("place %d", i))
		workers = append(workers, w)
	}
	if waiting, err := queue.Line(filepath.Join(dir, "line")).Waiting(); err != nil || len(waiting) != 4 || waiting[0].PID != workers[1].cmd.Process.Pid {
		t.Errorf("got %+v, %v, want the four in order", waiting, err)
	}
	for i := range workers {
		if err := workers[i].stdin.Close(); err != nil {
			t.Fatal(err)
		}
		if err := workers[i].cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		for j := i + 1; j < len(workers); j++ {
			if j == i+1 {
				workers[j].says(t, "has it")
			} else {
				workers[j].says(t, fmt.Sprintf("place %d", j-i-1))
			}
		}
	}
	if left := tickets(t, dir); len(left) > 0 {
		t.Errorf("got tickets %v of nobody", left)
	}
}

// TestKilled kills those who wait, and who holds: the next one gets on.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder := start(t, dir)
	holder.says(t, "has it")
	first, second, third := start(t, dir), (*worker)(nil), (*worker)(nil)
	first.says(t, "place 1")
	second = start(t, dir)
	second.says(t, "place 2")
	third = start(t, dir)
	third.says(t, "place 3")
	first.kill(t)
	second.says(t, "place 1")
	third.says(t, "place 2")
	second.kill(t)
	third.says(t, "place 1")
	holder.kill(t)
	third.says(t, "has it")
	fourth := start(t, dir)
	fourth.says(t, "place 1")
	third.kill(t)
	fourth.says(t, "has it")
	if left := tickets(t, dir); len(left) > 0 {
		t.Errorf("got tickets %v of the dead", left)
	}
}

// TestExcludes has many processes at once add to one number.
func TestExcludes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const processes = 30
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10", workerEnv+"="+dir, "QUEUE_TEST_COUNT="+filepath.Join(dir, "count"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	if data, err := os.ReadFile(filepath.Join(dir, "count")); err != nil || string(data) != strconv.Itoa(processes) {
		t.Errorf("got %s, %v, want %d", data, err, processes)
	}
	if left := tickets(t, dir); len(left) > 0 {
		t.Errorf("got tickets %v of nobody", left)
	}
}

// TestNumbers are never given out twice, whatever becomes of the file that counts them.
func TestNumbers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	line := queue.Line(filepath.Join(dir, "line"))
	var seen []string
	for i, text := range []string{"-", "-", "", "99", "x99999999999999999999999999999", "-"} {
		if text != "-" {
			if err := os.WriteFile(filepath.Join(dir, "line/.number"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var mine string
		tries := 0
		_, err := line.Wait(t.Context(), queue.Wish{}, func() (bool, error) {
			if tries++; tries == 1 {
				return false, nil
			}
			list := tickets(t, dir)
			mine = filepath.Base(list[len(list)-1])
			return true, nil
		})
		if err != nil || (i < 2 || i == 3) && slices.Contains(seen, mine) {
			t.Errorf("%q: got number %s after %v, %v", text, mine, seen, err)
		}
		seen = append(seen, mine)
	}
	if got, want := strings.Join(seen, " "), "1 2 1 100 1 2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestLeaves ends a wait by its context, by an error, by not waiting, and by the end of the line itself.
func TestLeaves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	line := queue.Line(filepath.Join(dir, "line"))
	no := func() (bool, error) { return false, nil }
	if waited, err := line.Wait(t.Context(), queue.Wish{NoWait: true}, no); waited || !errors.Is(err, queue.ErrBusy) {
		t.Errorf("got %v, %v, want ErrBusy", waited, err)
	}
	if _, err := os.Stat(string(line)); err == nil {
		t.Error("who did not wait has left a directory")
	}
	gone := errors.New("the pusher has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err := line.Wait(ctx, queue.Wish{Waiting: func(int) { cancel(gone) }}, no); !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
	tries := 0
	if _, err := line.Wait(t.Context(), queue.Wish{}, func() (bool, error) {
		if tries++; tries > 1 {
			return false, gone
		}
		return false, nil
	}); !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
	if left := tickets(t, dir); len(left) > 0 {
		t.Errorf("got tickets %v of who has left", left)
	}
	waiting := queue.Wish{Waiting: func(int) {
		if err := os.Rename(string(line), string(line)+".destroyed"); err != nil {
			t.Error(err)
		}
	}}
	if _, err := line.Wait(t.Context(), waiting, no); !errors.Is(err, queue.ErrGone) {
		t.Errorf("removed: got %v, want ErrGone", err)
	}
	if _, err := queue.Line(filepath.Join(dir, "none/line")).Wait(t.Context(), queue.Wish{}, no); !errors.Is(err, queue.ErrGone) {
		t.Errorf("no parent: got %v, want ErrGone", err)
	}
}

// TestNotOvertaken has a newcomer find the thing free while somebody waits for it: he stands behind him.
func TestNotOvertaken(t *testing.T) {
	t.Parallel()
	line := queue.Line(filepath.Join(t.TempDir(), "line"))
	var free atomic.Bool
	waits := make(chan struct{})
	order := make(chan string, 2)
	done := make(chan error, 2)
	go func() {
		var once sync.Once
		_, err := line.Wait(t.Context(), queue.Wish{Waiting: func(int) { once.Do(func() { close(waits) }) }}, func() (bool, error) {
			if free.Load() {
				order <- "first"
				return true, nil
			}
			return false, nil
		})
		done <- err
	}()
	<-waits
	go func() {
		_, err := line.Wait(t.Context(), queue.Wish{Waiting: func(int) { free.Store(true) }}, func() (bool, error) { order <- "second"; return true, nil })
		done <- err
	}()
	if err := errors.Join(<-done, <-done); err != nil {
		t.Fatal(err)
	}
	if got := []string{<-order, <-order}; got[0] != "first" {
		t.Errorf("got %v", got)
	}
}
