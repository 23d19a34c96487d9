package nginxvhosts

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// TestCommandLimit has nginx started by somebody who may have few files open but could have more, as in most logins.
func TestCommandLimit(t *testing.T) {
	t.Parallel()
	const inner = "DOKKU_TEST_FEW_FILES"
	if os.Getenv(inner) == "" {
		again := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -Sn 200; exec "$0" -test.run=^TestCommandLimit$`, os.Args[0])
		again.Env = append(os.Environ(), inner+"=1")
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	s := newSite(t, t.TempDir(), t.TempDir(), "foo")
	s.c.Env = append(s.c.Env, "PATH="+os.Getenv("PATH"), settings.NginxTest+`=sh -c '[ $(ulimit -Sn) = $(ulimit -Hn) ] || { ulimit -a; exit 1; }'`)
	if err := testConfig(t.Context(), s.c); err != nil {
		t.Error(err)
	}
}

// TestLacksFiles does not take it for a refusal of an app's file when nginx may open no more of them.
func TestLacksFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), t.TempDir(), "foo")
	output := filepath.Join(t.TempDir(), "output")
	s.c.Env = append(s.c.Env, "PATH="+os.Getenv("PATH"), settings.NginxTest+"=sh -c 'cat "+output+"; exit 1'")
	for message, refuses := range map[string]bool{
		`open() "/var/log/nginx/foo-access.log" failed (24: Too many open files)`:                                                                     false,
		`open() "` + s.conf() + `" failed (24: Too many open files) in /etc/nginx/conf.d/dokku.conf:9`:                                                false,
		`open() "/var/log/nginx/foo-access.log" failed (23: Too many open files in system)`:                                                           false,
		`cannot load certificate "/x": BIO_new_file() failed (SSL: error:80000018:system library::Too many open files:calling fopen(/x, r) error:1:)`: false,
		`open() "/var/log/nginx/foo-access.log" failed (2: No such file or directory)`:                                                                true,
	} {
		write(t, output, "nginx: [emerg] "+message+"\nnginx: configuration file /n.conf test failed\n")
		err := testConfig(t.Context(), s.c)
		var refused *refusal
		if errors.As(err, &refused) != refuses || !strings.Contains(err.Error(), message) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want a refusal: %v", message, err, refuses)
		}
	}
}

// TestRaiseFiles raises the limit of a process that runs, and lowers none.
func TestRaiseFiles(t *testing.T) {
	t.Parallel()
	sleep := exec.CommandContext(t.Context(), "sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait() }()
	limit := func(set *unix.Rlimit) (is unix.Rlimit) {
		t.Helper()
		if err := unix.Prlimit(sleep.Process.Pid, unix.RLIMIT_NOFILE, set, &is); err != nil {
			t.Fatal(err)
		}
		return is
	}
	hard := limit(nil).Max
	limit(&unix.Rlimit{Cur: 100, Max: hard})
	for _, files := range []uint64{200, 150} {
		if err := raiseFiles(sleep.Process.Pid, files); err != nil {
			t.Fatal(err)
		}
		if is := limit(nil); is.Cur != 200 || is.Max != hard {
			t.Errorf("%d: got %+v, want 200 of %d", files, is, hard)
		}
	}
}
