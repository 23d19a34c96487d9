package nginxvhosts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// dropIn has a host's nginx start without the apps that would keep it from starting. The words for nginx are those of
// Debian's unit, which have to be said again once the list is emptied.
func dropIn(dokku string) string {
	return fmt.Sprintf(`# Apps whose configuration nginx refuses are set aside, so that the others are served.
[Service]
# Each application has two files for logs.
LimitNOFILE=%d
ExecStartPre=
ExecStartPre=-%s nginx:validate-config --clean
ExecStartPre=/usr/sbin/nginx -t -q -g 'daemon on; master_process on;'
`, openFiles, dokku)
}

// writeDropIn writes it below etc, where there is systemd with a unit for nginx.
func writeDropIn(ctx context.Context, c *plug.C, etc string, units ...string) error {
	system := filepath.Join(etc, "systemd/system")
	if !isDir(system) || !anyExists(units) {
		return nil
	}
	dokku, err := os.Executable()
	if err != nil {
		return err
	}
	if strings.ContainsAny(dokku, " \t%$\"'\\") {
		return fmt.Errorf("cannot have nginx started safely: the path %q means more than itself to systemd", dokku)
	}
	dir := filepath.Join(system, "nginx.service.d")
	if err := record.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	changed, err := plug.WriteFile(filepath.Join(dir, "dokku.conf"), dropIn(dokku), 0o644)
	if err != nil || !changed || !isDir("/run/systemd/system") {
		return err
	}
	return proc.Run(ctx, proc.Cmd{Args: []string{"systemctl", "daemon-reload"}, Env: withSbin(c.Env), Stdout: c.Stderr, Stderr: c.Stderr})
}

// shutdownTimeout bounds how long old workers live for the sake of connections that do not end.
const shutdownTimeout = `# Workers of before a reload end after this time, even when a client holds a connection open.
worker_shutdown_timeout 60s;
`

// writeShutdownTimeout writes it to where Debian's nginx.conf in nginx includes files outside the http block; it
// returns the file if it was made. A time that an admin has set stays.
func writeShutdownTimeout(nginx string) (made string, err error) {
	conf, err := os.ReadFile(filepath.Join(nginx, "nginx.conf"))
	if err != nil {
		return "", fmt.Errorf("cannot set up nginx: %w", err)
	}
	dir := filepath.Join(nginx, "modules-enabled")
	file := filepath.Join(dir, "90-dokku.conf")
	if !isDir(dir) || !includes(string(conf), dir) || anyExists([]string{file}) {
		return "", nil
	}
	others, _ := filepath.Glob(filepath.Join(dir, "*.conf")) // the pattern is good, so there is no error
	for _, other := range append(others, filepath.Join(nginx, "nginx.conf")) {
		text, err := os.ReadFile(other)
		if err == nil && strings.Contains(string(text), "worker_shutdown_timeout") {
			return "", nil
		}
	}
	return file, record.Write(file, []byte(shutdownTimeout), 0o644)
}

// includes tells whether a line of nginx.conf includes the files of dir, outside of any block.
func includes(conf, dir string) bool {
	depth := 0
	for line := range strings.Lines(conf) {
		line, _, _ = strings.Cut(line, "#")
		if depth == 0 && strings.Join(strings.Fields(line), " ") == "include "+dir+"/*.conf;" {
			return true
		}
		depth += strings.Count(line, "{") - strings.Count(line, "}")
	}
	return false
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func anyExists(paths []string) bool {
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil || !errors.Is(err, os.ErrNotExist) {
			return true
		}
	}
	return false
}
