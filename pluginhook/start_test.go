package pluginhook_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
)

// cannot is one way in which a hook cannot be started.
type cannot struct {
	name    string
	prepare func(file string) error // makes the file
	code    int
	reason  string
}

func cannots() []cannot {
	write := func(text string, mode os.FileMode) func(string) error {
		return func(file string) error { return os.WriteFile(file, []byte(text), mode) }
	}
	return []cannot{
		{name: "no execute bit", prepare: write("#!/bin/sh\ncat\n", 0o644), code: 126, reason: "no execute permission (chmod +x it)"},
		{name: "no interpreter named", prepare: write("cat\n", 0o755), code: 126, reason: "exec format error (its first line has to name an interpreter: #!/bin/sh)"},
		{name: "empty", prepare: write("", 0o755), code: 126, reason: "exec format error (its first line has to name an interpreter: #!/bin/sh)"},
		{name: "missing interpreter", prepare: write("#!/no/such/sh -e\ncat\n", 0o755), code: 127, reason: `interpreter "/no/such/sh" not found`},
		{name: "carriage return", prepare: write("#!/bin/sh\r\ncat\r\n", 0o755), code: 127, reason: `interpreter "/bin/sh\r" not found: its first line ends in a carriage return`},
		{name: "interpreter is data", prepare: write("#!/etc/passwd\n", 0o755), code: 126, reason: `interpreter "/etc/passwd": permission denied`},
		{name: "directory", prepare: func(file string) error { return os.Mkdir(file, 0o755) }, code: 126, reason: "it is a directory"},
		{name: "dangling link", prepare: func(file string) error { return os.Symlink("../gone", file) }, code: 127, reason: `its link to "../gone" leads nowhere`},
		{name: "link to itself", prepare: func(file string) error { return os.Symlink("text", file) }, code: 127, reason: `its link to "text" leads nowhere`},
		{name: "foreign binary", prepare: write("\x7fELF\x01\x01\x01garbage", 0o755), code: 126, reason: "exec format error"},
	}
}

// TestCannotStart puts each of them between two good hooks: what the first one printed is never lost in silence.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	for _, c := range cannots() {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, r *pluginhook.Runner) {
				r.Path = plugins(t, map[string]string{"a/text": "#!/bin/sh\necho data\n", "b/x": "", "c/text": "#!/bin/sh\ncat\n"})
				file := filepath.Join(r.Path, "b", "text")
				if err := c.prepare(file); err != nil {
					t.Fatal(err)
				}
				got := do(t, r, "")
				checkCannot(t, got.fail, file, c)
				if got.out != "" {
					t.Errorf("got output %q", got.out)
				}
				if c.name != "foreign binary" { // only the kernel can tell
					checkCannot(t, pluginhook.Hook{Path: file}.Check(), file, c)
				}
			})
		})
	}
}

func checkCannot(t *testing.T, err error, file string, c cannot) {
	t.Helper()
	var exit *pluginhook.ExitError
	if !errors.As(err, &exit) || exit.Code != c.code || exit.Path != file {
		t.Fatalf("got %v, want status %d of %s", err, c.code, file)
	}
	if want := `cannot run hook "` + file + `": ` + c.reason; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestCheckGood(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	path := plugins(t, map[string]string{"a/text": "#! /bin/sh -e\n", "b/text": "#!/usr/bin/env sh\n"})
	os.Mkdir(filepath.Join(path, "c"), 0o755)
	os.Symlink(sh, filepath.Join(path, "c", "text"))
	hooks, err := pluginhook.Find(path, "text")
	if err != nil || len(hooks) != 3 {
		t.Fatal(hooks, err)
	}
	for _, h := range hooks {
		if err := h.Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestCarriageReturnBehindEnv is the other half of hooks with DOS line ends: they start, and then env finds nothing.
func TestCarriageReturnBehindEnv(t *testing.T) {
	t.Parallel()
	r := &pluginhook.Runner{Path: plugins(t, map[string]string{"a/text": "#!/usr/bin/env sh\r\necho\r\n"})}
	r.Env = []string{"PATH=/usr/bin:/bin"} // directories that we may not enter would make it 126
	got := do(t, r, "")
	if got.fail == nil || !strings.HasSuffix(got.fail.Error(), "exit status 127: its first line ends in a carriage return") {
		t.Errorf("got %v", got.fail)
	}
}

// TestTooLong has arguments that the kernel refuses, or cannot even be told.
func TestTooLong(t *testing.T) {
	t.Parallel()
	r := &pluginhook.Runner{Path: plugins(t, map[string]string{"a/text": "#!/bin/sh\n"})}
	for arg, reason := range map[string]string{strings.Repeat("x", 1<<20): "argument list too long", "a\x00b": "invalid argument"} {
		var exit *pluginhook.ExitError
		got := do(t, r, "", arg)
		if !errors.As(got.fail, &exit) || exit.Code != 126 || !strings.HasSuffix(got.fail.Error(), reason) || len(got.fail.Error()) > 300 {
			t.Errorf("got %v, want %s", got.fail, reason)
		}
	}
}

// TestBusy starts a hook whose file somebody still writes: it starts when they have finished.
func TestBusy(t *testing.T) {
	t.Parallel()
	path := plugins(t, map[string]string{"a/text": "#!/bin/sh\necho ready\n"})
	f, err := os.OpenFile(path+"/a/text", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { f.Close() })
	if got := do(t, &pluginhook.Runner{Path: path}, ""); got.fail != nil || got.out != "ready\n" {
		t.Errorf("got %+v", got)
	}
	again, err := os.OpenFile(path+"/a/text", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := do(t, &pluginhook.Runner{Path: path}, ""); !errors.Is(got.fail, syscall.ETXTBSY) {
		t.Errorf("got %+v", got)
	}
}
