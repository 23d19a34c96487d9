package nginxvhosts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// TestLogRoot leaves the logs of the host's nginx alone when the one that serves is not root's.
func TestLogRoot(t *testing.T) {
	t.Parallel()
	nobody := exec.CommandContext(t.Context(), "sleep", "60")
	if os.Geteuid() == 0 {
		nobody.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if err := nobody.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nobody.Process.Kill(); _ = nobody.Wait() }()
	lib, logs := t.TempDir(), t.TempDir()
	s := newSite(t, t.TempDir(), lib, "foo")
	s.s.Env = append(s.s.Env, settings.NginxPIDFile+"="+lib+"/pid")
	write(t, lib+"/pid", fmt.Sprintln(nobody.Process.Pid))
	for dir, want := range map[string]string{"": "", logs: logs + "/foo-access.log", logs + "/none": ""} {
		s := *s
		s.s.Env = append(s.s.Env, settings.NginxLogRoot+"="+dir)
		if got, err := s.logOf(accessLog); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", dir, got, err, want)
		}
		if want == "" {
			want = "off"
		}
		if got := s.properties()[0].value; got != want {
			t.Errorf("%q: got %q for templates, want %q", dir, got, want)
		}
	}
	write(t, lib+"/pid", "") // none runs, and root is who starts one
	want := ""               // where there is no nginx
	if isDir("/var/log/nginx") {
		want = filepath.Join("/var/log/nginx", "foo-access.log")
	}
	if got, err := s.logOf(accessLog); err != nil || got != want {
		t.Errorf("of the host: got %q, %v, want %q", got, err, want)
	}
}

// TestCheckLog lets nothing into nginx' files that is more than a path or a name.
func TestCheckLog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, value string
		good       bool
	}{
		{accessLog, "", true}, {accessLog, "off", true}, {accessLog, "/var/log/nginx/a-b_1.log", true}, {errorLog, "syslog:server=[::1]:514,tag=x", true},
		{accessFormat, "json_1", true}, {accessFormat, "a b", false}, {accessFormat, "x;", false}, {accessLog, "relative.log", false}, {accessLog, "syslog:", false},
		{accessLog, "/a b", false}, {accessLog, "/a;", false}, {accessLog, "/a{", false}, {accessLog, "/$host", false}, {errorLog, "/a\n", false}, {errorLog, "stderr", false},
	} {
		if err := checkLog(c.key, c.value); (err == nil) != c.good {
			t.Errorf("%s %q: got %v, want good: %v", c.key, c.value, err, c.good)
		}
	}
}
