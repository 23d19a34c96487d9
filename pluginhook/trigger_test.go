package pluginhook_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
)

// TestWiring pushes random bytes through three filters that each put a byte in front, so that the order shows.
func TestWiring(t *testing.T) {
	t.Parallel()
	path := plugins(t, map[string]string{
		"a/text": "#!/bin/sh\nprintf a; cat\n", "b/text": "#!/bin/sh\nprintf b; cat\n", "c/text": "#!/bin/sh\nprintf c; cat\n",
	})
	runs := 100
	if testing.Short() {
		runs = 10
	}
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = path
		rnd := rand.NewChaCha8([32]byte{1})
		for i := range runs {
			data := make([]byte, i*i*37)
			rnd.Read(data)
			got := do(t, r, string(data))
			if got.fail != nil || got.out != "cba"+string(data) || got.err != "" {
				t.Fatalf("%d bytes: got %d bytes, %v, stderr %q", len(data), len(got.out), got.fail, got.err)
			}
		}
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	const ok, fails = "#!/bin/sh\ncat\necho ok\n", "#!/bin/sh\necho half\nexit 7\n"
	for _, test := range []struct {
		name, a, b, c string
		code          int
		serial, par   string
	}{
		{"first", fails, ok, ok, 7, "", "half\nok\nok\n"},
		{"middle", ok, fails, ok, 7, "", "half\nok\n"},
		{"last", ok, ok, fails, 7, "half\n", "half\n"},
		{"status 255", ok, "#!/bin/sh\nexit 255\n", ok, 255, "", "ok\n"},
		{"signal", ok, "#!/bin/sh\nkill -SEGV $$\n", ok, 139, "", "ok\n"},
		{"none", ok, ok, ok, 0, "ok\nok\nok\n", "ok\nok\nok\n"},
		{"does not read", ok, "#!/bin/sh\necho mine\n", ok, 0, "mine\nok\n", "mine\nok\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			both(t, func(t *testing.T, r *pluginhook.Runner) {
				r.Path = plugins(t, map[string]string{"a/text": test.a, "b/text": test.b, "c/text": test.c})
				got := do(t, r, "")
				code := 0
				var exit *pluginhook.ExitError
				if errors.As(got.fail, &exit) {
					code = exit.Code
				}
				want := test.serial
				if r.Parallel {
					want = test.par
				}
				if code != test.code || got.out != want {
					t.Errorf("got %q and status %d (%v), want %q and %d", got.out, code, got.fail, want, test.code)
				}
			})
		})
	}
}

func TestNoHook(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = t.TempDir()
		if got := do(t, r, "input"); got.fail != nil || got.out != "" || got.err != "" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestTraceAndEnvironment(t *testing.T) {
	t.Parallel()
	path := plugins(t, map[string]string{"a/text": "#!/bin/sh\necho \"$0 $# $1 $V $PWD\"\n"})
	var trace strings.Builder
	r := &pluginhook.Runner{Path: path, Env: []string{"V=1", "PATH=" + os.Getenv("PATH"), "V=2"}, Trace: &trace}
	got := do(t, r, "", "x  y", "")
	wd, _ := os.Getwd()
	if want := path + "/a/text 2 x  y 2 " + wd + "\n"; got.out != want {
		t.Errorf("got %q, want %q", got.out, want)
	}
	if want := "+ " + path + "/a/text x  y \n"; trace.String() != want {
		t.Errorf("trace: got %q, want %q", trace.String(), want)
	}
}

// TestLinkedHook is about hooks that are links to one file and look at their own name.
func TestLinkedHook(t *testing.T) {
	t.Parallel()
	path := plugins(t, map[string]string{"a/lib": "#!/bin/sh\nbasename \"$0\"\n"})
	if err := os.Symlink("lib", filepath.Join(path, "a", "text")); err != nil {
		t.Fatal(err)
	}
	if got := do(t, &pluginhook.Runner{Path: path}, ""); got.out != "text\n" {
		t.Errorf("got %+v", got)
	}
}

// TestStdinIsHandedOn shows that the first hook gets the caller's very file: what it leaves is there afterwards.
func TestStdinIsHandedOn(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = plugins(t, map[string]string{"a/text": "#!/bin/sh\nread x; echo \"[$x]\"\n", "b/text": "#!/bin/sh\ncat\n"})
		pr, pw, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer pr.Close()
		io.WriteString(pw, "one\ntwo\nthree\n")
		pw.Close()
		var out bytes.Buffer
		for range 2 {
			if err := r.Trigger(t.Context(), pr, &out, os.Stderr, "text"); err != nil {
				t.Fatal(err)
			}
		}
		rest, _ := io.ReadAll(pr)
		if got := out.String() + string(rest); got != "[one]\n[two]\nthree\n" {
			t.Errorf("got %q", got)
		}
	})
}

// TestSilentReader has a caller's reader that never returns: a hook that does not read is not held up by it.
func TestSilentReader(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = plugins(t, map[string]string{"a/text": "#!/bin/sh\necho done\n", "b/text": "#!/bin/sh\ncat\n"})
		pr, pw := io.Pipe()
		defer pw.Close()
		var out bytes.Buffer
		begin := time.Now()
		if err := r.Trigger(t.Context(), pr, &out, os.Stderr, "text"); err != nil || out.String() != "done\n" {
			t.Errorf("got %q, %v", out.String(), err)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// TestWriterFails has a caller's writer that breaks: the hook must not run on for ever, and the reason is reported.
func TestWriterFails(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = plugins(t, map[string]string{"a/text": "#!/bin/sh\nyes | head -c 1000000\n", "b/text": "#!/bin/sh\nexec cat\n"})
		broken := errors.New("broken writer")
		pr, pw := io.Pipe()
		pr.CloseWithError(broken)
		if err := r.Trigger(t.Context(), nil, pw, nil, "text"); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
}

// TestStderrShared checks that all of several hooks' diagnostics arrive, at one writer that is not made for that.
func TestStderrShared(t *testing.T) {
	t.Parallel()
	const loud = "#!/bin/sh\ncat\nhead -c 1000000 /dev/zero | tr '\\0' x >&2\n"
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = plugins(t, map[string]string{"a/text": loud, "b/text": loud, "c/text": loud})
		got := do(t, r, "input")
		if got.fail != nil || got.out != "input" || got.err != strings.Repeat("x", 3_000_000) {
			t.Errorf("got %q, %d bytes of stderr, %v", got.out, len(got.err), got.fail)
		}
		var one bytes.Buffer // for both stdout and stderr
		if err := r.Trigger(t.Context(), nil, &one, &one, "text"); err != nil || one.Len() != 3_000_000 {
			t.Errorf("got %d bytes, %v", one.Len(), err)
		}
	})
}

// TestInProcess mixes hooks in Go with processes.
func TestInProcess(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = plugins(t, map[string]string{
			"a/text": "go", "b/text": "#!/bin/sh\nsed s/^/sh:/\n", "c/text": "go", "d/text": "go", "e/text": "#!/bin/sh\ncat\n",
		})
		r.Exec = func(ctx context.Context, c *pluginhook.Call) error {
			if text, err := os.ReadFile(c.Path); err != nil || string(text) != "go" {
				return pluginhook.OSExec(ctx, c)
			}
			if c.Runner != r {
				return errors.New("not our runner")
			}
			fmt.Fprintf(c.Stdout, "go %s\n", filepath.Base(c.Dir))
			if c.Stdin == nil {
				return nil
			}
			_, err := io.Copy(c.Stdout, c.Stdin)
			return err
		}
		if got := do(t, r, "in\n"); got.fail != nil || got.out != "go d\ngo c\nsh:go a\nsh:in\n" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestInProcessErrors(t *testing.T) {
	t.Parallel()
	plain := errors.New("disk on fire")
	for _, test := range []struct {
		err  error
		code int
	}{
		{plain, 1},
		{&pluginhook.ExitError{Code: 5}, 5},
		{fmt.Errorf("more: %w", &pluginhook.ExitError{Code: 6}), 6},
		{fmt.Errorf("cannot write: %w", syscall.EPIPE), 141},
	} {
		r := &pluginhook.Runner{
			Path: plugins(t, map[string]string{"a/text": ""}),
			Exec: func(context.Context, *pluginhook.Call) error { return test.err },
		}
		var exit *pluginhook.ExitError
		if got := do(t, r, ""); !errors.Is(got.fail, test.err) || !errors.As(got.fail, &exit) || exit.Code != test.code {
			t.Errorf("%v: got %v", test.err, got.fail)
		}
	}
}

// TestConcurrent uses one Runner from several goroutines; the race detector looks on.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = plugins(t, map[string]string{"a/text": "#!/bin/sh\ncat\n", "b/text": "#!/bin/sh\ncat\n"})
		r.Trace = &strings.Builder{}
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				text := strings.Repeat(fmt.Sprint(i), 100_000)
				if got := do(t, r, text); got.out != text || got.err != "" || got.fail != nil {
					t.Errorf("%d: got %d bytes, %q, %v", i, len(got.out), got.err, got.fail)
				}
			})
		}
		wg.Wait()
	})
}

// TestBytesExact sends a byte at a time, no line end at the end, and goes on after closing stderr.
func TestBytesExact(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *pluginhook.Runner) {
		r.Path = plugins(t, map[string]string{
			"a/text": "#!/bin/sh\nexec 2>&-\nfor i in 1 2 3 4 5; do printf %s $i; sleep 0.01; done\nprintf '\\0end'\n",
			"b/text": "#!/bin/sh\nexec cat\n",
		})
		if got := do(t, r, ""); sha256.Sum256([]byte(got.out)) != sha256.Sum256([]byte("12345\x00end")) || got.fail != nil {
			t.Errorf("got %+v", got)
		}
	})
}

// TestFirstByte checks that parallel mode passes bytes on as they come.
func TestFirstByte(t *testing.T) {
	t.Parallel()
	path := plugins(t, map[string]string{"a/text": "#!/bin/sh\necho first\nread x || :\n", "b/text": "#!/bin/sh\nexec cat\n"})
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, show, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	done := make(chan error, 1)
	r := &pluginhook.Runner{Path: path, Parallel: true}
	go func() { done <- r.Trigger(t.Context(), in, show, os.Stderr, "text") }()
	buf := make([]byte, 6)
	if _, err := io.ReadFull(out, buf); err != nil || string(buf) != "first\n" {
		t.Fatalf("got %q, %v", buf, err) // the hook is still waiting for input
	}
	feed.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	show.Close()
}
