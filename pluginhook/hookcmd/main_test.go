package hookcmd_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/pluginhook/hookcmd"
)

// asCommand makes the test binary be pluginhook.
const asCommand = "PLUGINHOOK_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Unsetenv(asCommand)
		os.Exit(hookcmd.Main(append([]string{"pluginhook"}, os.Args[1:]...)))
	}
	if os.Getenv("GORACE") == "" {
		// Without this every exec of the test binary under -race sleeps for a second at its end.
		os.Setenv("GORACE", "atexit_sleep_ms=10")
	}
	os.Exit(m.Run())
}

// pluginhook is the command with PLUGIN_PATH set, unless path is "".
func pluginhook(tb testing.TB, path string, args ...string) *exec.Cmd {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "PLUGINHOOK_TRACE=", "PLUGIN_PATH="+path)
	return cmd
}

// output runs a command and returns what it printed and its status; -1 if a signal ended it.
func output(tb testing.TB, cmd *exec.Cmd) (stdout, stderr string, status int) {
	tb.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// plugins lays down executable hooks, "plugin/hook" to text, and returns the plugin path.
func plugins(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// mark is a setting that only the processes of one run have.
func mark(tb testing.TB) string { return "HOOK_MARK=" + tb.TempDir() }

// left lists the processes that have the setting in their environment.
func left(setting string) (pids []int) {
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

// eventually polls until ok, for ten seconds at most.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("not within 10 s: %s", what)
		}
	}
}
