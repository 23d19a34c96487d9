package pluginhook_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
)

// The benchmarks have what they are to be compared with beside them, under the name "floor".

// tree makes n plugins that all have the hook "hook", a link to file.
func tree(tb testing.TB, n int, file string) string {
	tb.Helper()
	dir := tb.TempDir()
	for i := range n {
		plugin := filepath.Join(dir, fmt.Sprintf("plugin-%03d", i))
		if err := os.Mkdir(plugin, 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.Symlink(file, filepath.Join(plugin, "hook")); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// script writes an executable file.
func script(tb testing.TB, text string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "script")
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		tb.Fatal(err)
	}
	return file
}

// build compiles a static program, as the project's own are.
func build(tb testing.TB, pkg string) string {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), "prog")
	cmd := exec.Command("go", "build", "-tags", "urfave_cli_no_docs", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("cannot build %s: %v\n%s", pkg, err, text)
	}
	return out
}

func buildText(tb testing.TB, text string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
	return build(tb, file)
}

const command = "github.com/dokku-go/dokku/pluginhook/cmd/pluginhook"

// BenchmarkStart is the command with nothing to do, beside a Go program that does nothing.
func BenchmarkStart(b *testing.B) {
	bin := build(b, command)
	b.Run("floor/empty-go-program", func(b *testing.B) { spawn(b, 1, buildText(b, "package main\nfunc main() {}\n")) })
	b.Run("no-hook", func(b *testing.B) {
		b.Setenv("PLUGIN_PATH", b.TempDir())
		spawn(b, 1, bin, "hook")
	})
	b.Run("no-hook-in-50-plugins", func(b *testing.B) {
		b.Setenv("PLUGIN_PATH", tree(b, 50, script(b, "")))
		spawn(b, 1, bin, "other")
	})
}

// spawn starts a program n times per round and waits for it: fork and exec with nothing around them.
func spawn(b *testing.B, n int, argv ...string) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}}
	for b.Loop() {
		for range n {
			pid, err := syscall.ForkExec(argv[0], argv, attr)
			if err != nil {
				b.Fatal(err)
			}
			var ws syscall.WaitStatus
			for _, err = syscall.Wait4(pid, &ws, 0, nil); err == syscall.EINTR; {
				_, err = syscall.Wait4(pid, &ws, 0, nil)
			}
			if ws != 0 {
				b.Fatalf("%q: status %v", argv, ws)
			}
		}
	}
}

// BenchmarkHooks is a pipeline of hooks that do nothing: through the library, through the command, in this process.
func BenchmarkHooks(b *testing.B) {
	bin := build(b, command)
	noop := buildText(b, "package main\nfunc main() {}\n")
	files := []struct{ name, file string }{
		{"sh", script(b, "#!/bin/sh\n")},
		{"go", noop},
	}
	if c := buildC(b, "int main(void) { return 0; }"); c != "" {
		files = append(files, struct{ name, file string }{"c", c})
	}
	for _, n := range []int{0, 1, 10, 50} {
		for _, f := range files {
			b.Run(fmt.Sprintf("%s/%d/floor", f.name, n), func(b *testing.B) { spawn(b, n, f.file) })
			b.Run(fmt.Sprintf("%s/%d/library", f.name, n), func(b *testing.B) {
				trigger(b, &pluginhook.Runner{Path: tree(b, n, f.file)})
			})
			b.Run(fmt.Sprintf("%s/%d/command", f.name, n), func(b *testing.B) {
				b.Setenv("PLUGIN_PATH", tree(b, n, f.file))
				spawn(b, 1, bin, "hook")
			})
		}
		b.Run(fmt.Sprintf("in-process/%d", n), func(b *testing.B) {
			nothing := func(context.Context, *pluginhook.Call) error { return nil }
			trigger(b, &pluginhook.Runner{Path: tree(b, n, noop), Exec: nothing})
		})
	}
}

// buildC compiles a static C program; "" without a compiler.
func buildC(tb testing.TB, text string) string {
	tb.Helper()
	dir := tb.TempDir()
	src, out := filepath.Join(dir, "main.c"), filepath.Join(dir, "main")
	if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
	if err := exec.Command("cc", "-O", "-static", "-o", out, src).Run(); err != nil {
		return ""
	}
	return out
}

func trigger(b *testing.B, r *pluginhook.Runner) {
	b.Helper()
	for b.Loop() {
		if err := r.Trigger(b.Context(), nil, nil, os.Stderr, "hook"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPipe moves 1 GiB (64 MiB with -short) through hooks that are cat, beside a shell's pipe for the parallel
// mode and shell steps through files in memory for the serial one. peak-MiB is the resident memory of the command.
func BenchmarkPipe(b *testing.B) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	const tmpfs = "/dev/shm"
	data := filepath.Join(b.TempDir(), "data")
	f, err := os.Create(data)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.CopyN(f, zeros{}, size); err != nil {
		b.Fatal(err)
	}
	f.Close()
	bin := build(b, command)
	cat, err := exec.LookPath("cat")
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{1, 5, 10} {
		path := tree(b, n, cat)
		b.Run(fmt.Sprintf("serial/%d/floor", n), func(b *testing.B) {
			dir, err := os.MkdirTemp(tmpfs, "steps-")
			if err != nil {
				b.Fatal(err)
			}
			defer os.RemoveAll(dir)
			run(b, size, []string{"/bin/sh", "-c", steps(n, cat, dir)}, data, "")
		})
		b.Run(fmt.Sprintf("serial/%d/command", n), func(b *testing.B) {
			run(b, size, []string{bin, "hook"}, data, path)
		})
		b.Run(fmt.Sprintf("parallel/%d/floor", n), func(b *testing.B) {
			run(b, size, []string{"/bin/sh", "-c", cat + strings.Repeat("|"+cat, n-1)}, data, "")
		})
		b.Run(fmt.Sprintf("parallel/%d/command", n), func(b *testing.B) {
			run(b, size, []string{bin, "-p", "hook"}, data, path)
		})
	}
}

// steps is what a shell has to do to run cat n times, one after another.
func steps(n int, cat, dir string) string {
	var s strings.Builder
	in := ""
	for i := range n - 1 {
		fmt.Fprintf(&s, "%s %s >%s/%d; ", cat, in, dir, i)
		if i > 0 {
			fmt.Fprintf(&s, "rm %s/%d; ", dir, i-1)
		}
		in = fmt.Sprintf("<%s/%d", dir, i)
	}
	fmt.Fprintf(&s, "%s %s; rm -f %s/*", cat, in, dir)
	return s.String()
}

// run runs a program that reads data and whose output is dropped.
func run(b *testing.B, size int64, argv []string, data, path string) {
	b.SetBytes(size)
	peak := 0
	for b.Loop() {
		in, err := os.Open(data)
		if err != nil {
			b.Fatal(err)
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "PLUGIN_PATH="+path)
		cmd.Stdin, cmd.Stderr = in, os.Stderr
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		for waiting := true; waiting; {
			peak = max(peak, highWater(cmd.Process.Pid))
			select {
			case err = <-done:
				waiting = false
			case <-time.After(20 * time.Millisecond):
			}
		}
		in.Close()
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(peak)/1024, "peak-MiB")
}

// highWater is the largest resident size that a process has had so far, in KiB.
func highWater(pid int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(f[0])
	return n
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
