package nginxvhosts

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// TestDropIn writes it only where there is a unit to change.
func TestDropIn(t *testing.T) {
	t.Parallel()
	etc := t.TempDir()
	unit := filepath.Join(t.TempDir(), "nginx.service")
	c := &plug.C{Call: &pluginhook.Call{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}}
	file := filepath.Join(etc, "systemd/system/nginx.service.d/dokku.conf")
	for range 2 { // without systemd, without the unit
		if err := writeDropIn(t.Context(), c, etc, unit); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Fatalf("there is a file: %v", err)
		}
		if err := os.MkdirAll(filepath.Join(etc, "systemd/system"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, unit, "[Service]\n")
	dokku, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := writeDropIn(t.Context(), c, etc, filepath.Join(etc, "none"), unit); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	want := "ExecStartPre=\nExecStartPre=-" + dokku + " nginx:validate-config --clean\nExecStartPre=/usr/sbin/nginx -t -q -g 'daemon on; master_process on;'\n"
	if err != nil || !strings.Contains(string(text), want) {
		t.Errorf("got %q, %v, want %q", text, err, want)
	}
}

// TestShutdownTimeout writes the file where nginx reads it, and leaves a time that an admin has set.
func TestShutdownTimeout(t *testing.T) {
	t.Parallel()
	const include = "include DIR/modules-enabled/*.conf;\n"
	for _, c := range []struct {
		what, conf, module string
		want               bool
	}{
		{"Debian's", "user www-data;\n" + include + "events {\n}\nhttp {\n}\n", "load_module x;", true},
		{"not included", "user www-data;\nevents {\n}\n", "", false},
		{"commented out", "#" + include, "", false},
		{"in a block", "http {\n" + include + "}\n", "", false},
		{"behind a block", "events { }\n" + include, "", true},
		{"set", include + "worker_shutdown_timeout 5s;\n", "", false},
		{"set in a file", include, "worker_shutdown_timeout 5s;\n", false},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "nginx.conf"), strings.ReplaceAll(c.conf, "DIR", dir))
		write(t, filepath.Join(dir, "modules-enabled/50-other.conf"), c.module)
		made, err := writeShutdownTimeout(dir)
		if err != nil || (made != "") != c.want {
			t.Errorf("%s: got %q, %v, want one: %v", c.what, made, err, c.want)
		}
		if again, err := writeShutdownTimeout(dir); err != nil || again != "" {
			t.Errorf("%s, again: got %q, %v", c.what, again, err)
		}
	}
}
