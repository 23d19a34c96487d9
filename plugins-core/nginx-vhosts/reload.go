package nginxvhosts

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Commands of nginx; root needs no sudo.
const (
	testCommand   = "nginx -t"
	reloadCommand = "nginx -s reload"
)

// command runs one of them. An error that nginx has a reason for is a *refusal.
func command(ctx context.Context, c *plug.C, key, def, what string) error {
	if os.Geteuid() != 0 {
		def = "sudo -n " + def
	}
	args, err := c.Settings().Command(key, def)
	if err != nil {
		return err
	}
	allowFiles()
	var out bytes.Buffer
	err = proc.Run(ctx, proc.Cmd{Args: args, Env: withSbin(c.Env), Stdout: &out, Stderr: &out, Timeout: time.Minute})
	if err == nil {
		return nil
	}
	if message := reason(out.String()); lacksFiles(message) {
		return fmt.Errorf("cannot %s: %s; raise the limit of open files, as ulimit -Hn shows it", what, message)
	} else if message != "" {
		return &refusal{what: what, message: message}
	}
	return fmt.Errorf("cannot %s: %s: %w", what, strings.TrimSpace(out.String()), err)
}

// withSbin adds the directory of nginx to PATH, which a user over ssh does not have.
func withSbin(env []string) []string {
	path, _ := settings.Lookup(env, "PATH")
	return settings.Set(env, "PATH", path+":/usr/local/sbin:/usr/sbin:/sbin")
}

// testConfig has nginx test the files of all apps.
func testConfig(ctx context.Context, c *plug.C) error {
	return command(ctx, c, settings.NginxTest, testCommand, "use the nginx configuration")
}

// reload has nginx load its files and waits until that is done: the command only sends a signal. Done means that the
// new workers run and the old ones accept no more connections.
func reload(ctx context.Context, c *plug.C) error {
	master := masterPID(c.Settings())
	old := workers(master)
	c.Verbose("Reloading nginx")
	if err := command(ctx, c, settings.NginxReload, reloadCommand, "reload nginx"); err != nil {
		return err
	}
	if len(old) == 0 {
		return nil // not running before, or hidden from us: there is nothing to watch
	}
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if handedOver(old, workers(master)) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("cannot reload nginx: it still runs with its old configuration after 10 s; see its error log")
}

// reloadVerb is for the shell function of plugins that have changed files of nginx. They may do so in a hook of whoever
// holds the host's lock, which is therefore not taken.
func reloadVerb(ctx context.Context, c *plug.C) error {
	if err := testConfig(ctx, c); err != nil {
		return err
	}
	return reload(ctx, c)
}

// handedOver tells whether there are workers that are not of old, and none of old accepts connections.
func handedOver(old, now map[int]bool) bool {
	fresh := false
	for pid, accepts := range now {
		if _, was := old[pid]; !was {
			fresh = fresh || accepts
		} else if accepts {
			return false
		}
	}
	return fresh
}

// masterPID reads nginx' pid file; 0 when there is none.
func masterPID(s settings.Settings) int {
	data, err := os.ReadFile(s.Get(settings.NginxPIDFile, "/run/nginx.pid"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
}

// workers returns the worker processes of master and whether each accepts connections, which its title tells.
func workers(master int) map[int]bool {
	out := map[int]bool{}
	if master == 0 {
		return out
	}
	for _, pid := range children(master) {
		title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.Contains(title, []byte("worker process")) {
			out[pid] = !bytes.Contains(title, []byte("shutting down"))
		}
	}
	return out
}

// children are the processes that parent has started. Kernels that do not list them are few, and asked for all
// processes.
func children(parent int) (pids []int) {
	if list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent)); err == nil {
		for _, word := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good, so there is no error
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// "pid (name) state ppid ...", and the name may hold anything.
		f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(f) < 2 || f[1] != strconv.Itoa(parent) || f[0] == "Z" {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func reloadsFile(s settings.Settings) string { return filepath.Join(s.Data(pluginName), "reloads") }

// reloads is how often nginx has been reloaded by us.
func reloads(s settings.Settings) int {
	data, _ := os.ReadFile(reloadsFile(s)) // none is 0
	n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return n
}

// reloadAndCount is reload for whoever has the host's lock. From the count others tell that a reload of theirs is not
// needed any more.
func reloadAndCount(ctx context.Context, c *plug.C) error {
	if err := reload(ctx, c); err != nil {
		return err
	}
	return record.WriteLine(reloadsFile(c.Settings()), strconv.Itoa(reloads(c.Settings())+1))
}
