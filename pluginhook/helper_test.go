package pluginhook_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
)

// plugins lays down hooks, "plugin/hook" to text, and returns the plugin path. What begins with #! is executable.
func plugins(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			tb.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// result is what a Trigger did.
type result struct {
	out, err string
	fail     error
	took     time.Duration
}

// do triggers "text" with an input from memory, so that pipes of ours are between it and the hooks.
func do(t *testing.T, r *pluginhook.Runner, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	begin := time.Now()
	err := r.Trigger(t.Context(), strings.NewReader(stdin), &out, &errs, "text", args...)
	return result{out.String(), errs.String(), err, time.Since(begin)}
}

// both runs a test in serial and in parallel mode.
func both(t *testing.T, test func(t *testing.T, r *pluginhook.Runner)) {
	for _, parallel := range []bool{false, true} {
		name := "serial"
		if parallel {
			name = "parallel"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &pluginhook.Runner{Parallel: parallel})
		})
	}
}

// eventually polls until ok, for ten seconds at most.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// left counts the processes that have the variable setting in their environment.
func left(setting string) int { return len(pids(setting)) }

func pids(setting string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, _ := os.ReadFile(file)
		if bytes.Contains(append([]byte{0}, env...), []byte("\x00"+setting+"\x00")) {
			pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}
