package hookcmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests of this file repeat what could go wrong once in a while, as often as it takes. Each says how many rounds
// it tried; a round that goes wrong ends it.

// robust skips a test under -short, and runs it once for each mode of a pipeline otherwise.
func robust(t *testing.T, modes []string, test func(t *testing.T, mode string)) {
	if testing.Short() {
		t.Skip("many rounds")
	}
	for _, mode := range modes {
		t.Run("mode "+mode, func(t *testing.T) { test(t, mode) })
	}
}

var serialAndParallel = []string{"--parallel=false", "--parallel"}

// TestParallelLosesNothing: hooks so short that one ends before the next has been started.
func TestParallelLosesNothing(t *testing.T) {
	robust(t, []string{"-p"}, func(t *testing.T, mode string) {
		path := plugins(t, map[string]string{
			"a/text": "#!/bin/sh\necho a\n", "b/text": "#!/bin/sh\ncat\necho b\n", "c/text": "#!/bin/sh\ncat\necho c\n",
		})
		const rounds = 500
		for i := range rounds {
			if out, errs, status := output(t, pluginhook(t, path, mode, "text")); out != "a\nb\nc\n" || errs != "" || status != 0 {
				t.Fatalf("round %d: got %q, %q, status %d", i, out, errs, status)
			}
		}
		t.Logf("%d tried", rounds)
	})
}

func TestParallelIsParallel(t *testing.T) {
	robust(t, []string{"-p"}, func(t *testing.T, mode string) {
		path := plugins(t, map[string]string{"a/text": "#!/bin/sh\nsleep 2\necho a\n", "b/text": "#!/bin/sh\nsleep 2\ncat\n"})
		begin := time.Now()
		if out, _, _ := output(t, pluginhook(t, path, mode, "text")); out != "a\n" || time.Since(begin) > 3*time.Second {
			t.Errorf("got %q after %v", out, time.Since(begin))
		}
	})
}

// TestHang: hooks that never end, in silence, with a child.
func TestHang(t *testing.T) {
	robust(t, append(serialAndParallel, "--broadcast"), func(t *testing.T, mode string) {
		path := plugins(t, map[string]string{"a/text": "#!/bin/sh\nsleep 300 &\nsleep 300\n"})
		const rounds = 20
		for i := range rounds {
			mark := mark(t)
			cmd := pluginhook(t, path, mode, "--timeout", "100ms", "text")
			cmd.Env = append(cmd.Env, mark)
			begin := time.Now()
			_, errs, status := output(t, cmd)
			if want := fmt.Sprintf("pluginhook: hook %q exceeded its deadline of 100ms\n", path+"/a/text"); errs != want || status != 124 {
				t.Fatalf("round %d: got %q, status %d", i, errs, status)
			}
			if pids := left(mark); len(pids) > 0 || time.Since(begin) > 5*time.Second {
				t.Fatalf("round %d: processes %v left after %v", i, pids, time.Since(begin))
			}
		}
		t.Logf("%d tried", rounds)
	})
}

// TestChildKeepsPipe: a hook leaves a child that holds its output for a minute.
func TestChildKeepsPipe(t *testing.T) {
	robust(t, serialAndParallel, func(t *testing.T, mode string) {
		path := plugins(t, map[string]string{
			"a/text": "#!/bin/sh\necho kept\nsleep 60 2>&- &\n", "b/text": "#!/bin/sh\ncat\n",
		})
		const rounds = 10
		for i := range rounds {
			mark := mark(t)
			cmd := pluginhook(t, path, mode, "text")
			cmd.Env = append(cmd.Env, mark)
			begin := time.Now()
			out, errs, status := output(t, cmd)
			if out != "kept\n" || status != 0 || strings.Count(errs, "left a process behind") != 1 || strings.Count(errs, "\n") != 1 {
				t.Fatalf("round %d: got %q, %q, status %d", i, out, errs, status)
			}
			if d := time.Since(begin); d > 3*time.Second {
				t.Fatalf("round %d: took %v", i, d)
			}
			pids := left(mark)
			if mode != "--parallel" && len(pids) != 1 {
				t.Fatalf("round %d: processes %v, want the child", i, pids)
			}
			for _, pid := range pids {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		t.Logf("%d tried", rounds)
	})
}

// TestFailsMidway: the second of three hooks fails after a part of its output.
func TestFailsMidway(t *testing.T) {
	robust(t, serialAndParallel, func(t *testing.T, mode string) {
		const rounds = 10
		for i := range rounds {
			path := plugins(t, map[string]string{
				"a/text": "#!/bin/sh\necho a\n", "b/text": "#!/bin/sh\necho half\nexit 3\n", "c/text": "#!/bin/sh\ntouch \"$0.ran\"\ncat\n",
			})
			out, errs, status := output(t, pluginhook(t, path, mode, "text"))
			if want := fmt.Sprintf("pluginhook: hook %q failed: exit status 3\n", path+"/b/text"); errs != want || status != 3 {
				t.Fatalf("round %d: got %q, status %d", i, errs, status)
			}
			_, err := os.Stat(path + "/c/text.ran")
			if mode != "--parallel" && (err == nil || out != "") {
				t.Fatalf("round %d: the third ran, or its output is there: %q", i, out)
			}
		}
		t.Logf("%d tried", rounds)
	})
}

// TestSignals: the three signals, at a hook of two processes; then nothing is left.
func TestSignals(t *testing.T) {
	robust(t, append(serialAndParallel, "--broadcast"), func(t *testing.T, mode string) {
		path := plugins(t, map[string]string{"a/text": "#!/bin/sh\nsleep 300 &\necho $$ >\"$UP\"\nwait\n", "b/text": "#!/bin/sh\nexec cat\n"})
		const rounds = 20
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
			for i := range rounds {
				cmd, mark := start(t, path, mode)
				cmd.Process.Signal(sig)
				cmd.Wait()
				if code := cmd.ProcessState.ExitCode(); code != 128+int(sig) {
					t.Fatalf("%v, round %d: status %d: %s", sig, i, code, cmd.Stderr)
				}
				if pids := left(mark); len(pids) > 0 {
					t.Fatalf("%v, round %d: processes %v left", sig, i, pids)
				}
			}
		}
		t.Logf("%d tried", 3*rounds)
	})
}

// TestKilled: pluginhook itself is killed, so that it can do nothing; the hook gets a TERM from the kernel.
func TestKilled(t *testing.T) {
	robust(t, append(serialAndParallel, "--broadcast"), func(t *testing.T, mode string) {
		path := plugins(t, map[string]string{"a/text": "#!/bin/sh\necho $$ >\"$UP\"\nexec sleep 300\n", "b/text": "#!/bin/sh\nexec cat\n"})
		const rounds = 20
		for range rounds {
			cmd, mark := start(t, path, mode)
			cmd.Process.Kill()
			cmd.Wait()
			eventually(t, "no hook left", func() bool { return len(left(mark)) == 0 })
		}
		t.Logf("%d tried", rounds)
	})
}

// start starts the command and returns when the hook is up.
func start(t *testing.T, path, mode string) (cmd *exec.Cmd, setting string) {
	t.Helper()
	setting = mark(t)
	up := filepath.Join(t.TempDir(), "up")
	cmd = pluginhook(t, path, mode, "text")
	cmd.Env = append(cmd.Env, setting, "UP="+up)
	cmd.Stderr = &bytes.Buffer{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the hook is up", func() bool { text, _ := os.ReadFile(up); return len(text) > 0 })
	return cmd, setting
}

// TestEarlyExit: a hook writes 100 MB, the next one ends at once.
func TestEarlyExit(t *testing.T) {
	robust(t, serialAndParallel, func(t *testing.T, mode string) {
		path := plugins(t, map[string]string{"a/text": "#!/bin/sh\nhead -c 100000000 /dev/zero\n", "b/text": "#!/bin/sh\nexit 0\n"})
		const rounds = 20
		for i := range rounds {
			begin := time.Now()
			out, errs, status := output(t, pluginhook(t, path, mode, "text"))
			if out+errs != "" || status != 0 || time.Since(begin) > 5*time.Second {
				t.Fatalf("round %d: got %q, %q, status %d after %v", i, out, errs, status, time.Since(begin))
			}
		}
		t.Logf("%d tried", rounds)
	})
}

// TestEarlierFails: a hook prints half and fails, the next one is cat: the status has to be that of the first.
func TestEarlierFails(t *testing.T) {
	robust(t, serialAndParallel, func(t *testing.T, mode string) {
		path := plugins(t, map[string]string{"a/text": "#!/bin/sh\nprintf half\nexit 3\n", "b/text": "#!/bin/sh\nexec cat\n"})
		const rounds = 10
		for i := range rounds {
			if _, errs, status := output(t, pluginhook(t, path, mode, "text")); status != 3 || !strings.Contains(errs, "/a/text") {
				t.Fatalf("round %d: status %d, %q", i, status, errs)
			}
		}
		t.Logf("%d tried", rounds)
	})
}

// TestKilledInPipe: each of three hooks is killed from outside while it works.
func TestKilledInPipe(t *testing.T) {
	robust(t, serialAndParallel, func(t *testing.T, mode string) {
		const rounds = 20
		for _, victim := range []string{"a", "b", "c"} {
			files := map[string]string{"a/text": "#!/bin/sh\nexec cat\n", "b/text": "#!/bin/sh\nexec cat\n", "c/text": "#!/bin/sh\nexec cat\n"}
			files[victim+"/text"] = "#!/bin/sh\necho $$ >\"$UP\"\nexec sleep 300\n"
			path := plugins(t, files)
			for i := range rounds {
				cmd, mark := start(t, path, mode)
				up := strings.TrimPrefix(cmd.Env[len(cmd.Env)-1], "UP=")
				text, _ := os.ReadFile(up)
				var pid int
				fmt.Sscan(string(text), &pid)
				syscall.Kill(pid, syscall.SIGKILL)
				cmd.Wait()
				want := fmt.Sprintf("pluginhook: hook %q was ended by signal KILL (status 137)\n", path+"/"+victim+"/text")
				if got := cmd.Stderr.(*bytes.Buffer).String(); got != want || cmd.ProcessState.ExitCode() != 137 {
					t.Fatalf("%s, round %d: %q, status %d", victim, i, got, cmd.ProcessState.ExitCode())
				}
				if pids := left(mark); len(pids) > 0 {
					t.Fatalf("%s, round %d: processes %v left", victim, i, pids)
				}
			}
		}
		t.Logf("%d tried", 3*rounds)
	})
}
