package hookcmd_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestMemoryLimit moves 1 GiB through three hooks in a control group of 64 MiB, and looks at our own memory. Where no
// control group can be made the latter has to do, which is what the log says then.
func TestMemoryLimit(t *testing.T) {
	robust(t, serialAndParallel, func(t *testing.T, mode string) {
		procs := memoryGroup(t, 64<<20)
		path := plugins(t, map[string]string{"a/text": "#!/bin/sh\nexec cat\n", "b/text": "#!/bin/sh\nexec cat\n", "c/text": "#!/bin/sh\nexec cat\n"})
		enter := "echo $$ >" + procs + " && "
		if procs == "" {
			enter = ""
			t.Log("there are no control groups here: only the runner's own memory is looked at")
		}
		self := pluginhook(t, path, mode, "text")
		cmd := exec.Command("sh", "-c", enter+"exec "+strings.Join(self.Args, " "))
		cmd.Env = append(self.Env, "TMPDIR=/var/tmp") // on a disk: what is in a tmpfs counts as memory
		cmd.Stdin = io.LimitReader(zeros{}, 1<<30)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, io.LimitReader(out, 1<<30-1))
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)) // it waits for the last byte to go
		last, _ := io.Copy(io.Discard, out)
		n += last
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		_, peak, _ := strings.Cut(string(status), "VmHWM:")
		kib := 0
		fmt.Sscan(peak, &kib)
		t.Logf("peak of the runner: %d KiB", kib)
		if kib > 48<<10 { // the test binary, perhaps with the race detector; the command alone has 5 MiB
			t.Errorf("the runner took %d KiB", kib)
		}
		if n != 1<<30 || err != nil {
			t.Errorf("got %d bytes, %v", n, err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// memoryGroup makes a control group with a limit, in either version of the interface, and returns the file that a
// process enters it by; "" where there are no control groups.
func memoryGroup(t *testing.T, limit int) string {
	t.Helper()
	for _, v := range []struct{ root, file string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
		{"/sys/fs/cgroup", "memory.max"},
	} {
		dir := filepath.Join(v.root, fmt.Sprintf("pluginhook-test-%d", os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { eventually(t, "the control group is empty", func() bool { return os.Remove(dir) == nil }) })
		if os.WriteFile(filepath.Join(dir, v.file), []byte(strconv.Itoa(limit)), 0) == nil {
			return filepath.Join(dir, "cgroup.procs")
		}
	}
	return ""
}

// TestDiskFull has no room for what is between two hooks: in one run the hook notices, in one it does not.
func TestDiskFull(t *testing.T) {
	robust(t, []string{"-x"}, func(t *testing.T, mode string) {
		dir := t.TempDir()
		mount(t, dir, "size=64k")
		for _, first := range []string{"head -c 1000000 /dev/zero", "head -c 1000000 /dev/zero; exit 0"} {
			path := plugins(t, map[string]string{"a/text": "#!/bin/sh\n" + first + "\n", "b/text": "#!/bin/sh\ncat >/dev/null\ntouch \"$0.ran\"\n"})
			cmd := pluginhook(t, path, "text")
			cmd.Env = append(cmd.Env, "TMPDIR="+dir)
			_, errs, status := output(t, cmd)
			if status != 1 || !strings.Contains(errs, "No space left") && !strings.Contains(errs, "no space left") || !strings.Contains(errs, path+"/a/text") {
				t.Errorf("%s: status %d, %q", first, status, errs)
			}
			if _, err := os.Stat(path + "/b/text.ran"); err == nil {
				t.Errorf("%s: the next hook ran on a part of the data", first)
			}
		}
	})
}

// TestNoexec has its hook on a file system from which nothing may be executed.
func TestNoexec(t *testing.T) {
	robust(t, serialAndParallel, func(t *testing.T, mode string) {
		path := plugins(t, map[string]string{"a/text": "#!/bin/sh\necho a\n", "c/text": "#!/bin/sh\ncat\n"})
		os.Mkdir(path+"/b", 0o755)
		mount(t, path+"/b", "noexec")
		if err := os.WriteFile(path+"/b/text", []byte("#!/bin/sh\ncat\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		out, errs, status := output(t, pluginhook(t, path, mode, "text"))
		want := fmt.Sprintf("pluginhook: cannot run hook %q: its file system is mounted noexec\n", path+"/b/text")
		if out != "" || errs != want || status != 126 {
			t.Errorf("got %q, %q, status %d", out, errs, status)
		}
	})
}

// mount mounts a tmpfs for the time of the test.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if text, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("cannot mount a tmpfs: run this as root, or with -short: %v: %s", err, text)
	}
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
}
