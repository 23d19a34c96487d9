package schedulerdockerlocal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// retire names the new containers as users expect and leaves the old ones running for the requests that they still
// answer; a process of its own ends them after DOKKU_WAIT_TO_RETIRE seconds.
func (r *rollout) retire(ctx context.Context) error {
	wait, err := r.c.Settings().Int(settings.WaitToRetire, 60)
	if err != nil {
		return err
	}
	args := []string{"dokku", pluginName + ":retire", strconv.Itoa(wait)}
	for _, p := range r.old {
		name := fmt.Sprintf("%s.%s.%d", r.app.Name, p.dyno(), time.Now().UnixNano())
		if err := r.engine.Rename(ctx, p.container, name); err != nil && !dockerapi.IsNotFound(err) {
			return err
		}
		args = append(args, p.container)
	}
	for _, p := range r.fresh {
		if err := r.engine.Rename(ctx, p.container, r.app.Name+"."+p.dyno()); err != nil {
			return err
		}
	}
	if len(r.old) == 0 {
		return nil
	}
	r.c.Info1("Shutting down old container in %d seconds", wait)
	return r.detach(args)
}

// detach starts a dokku of its own session that outlives the push.
func (r *rollout) detach(args []string) error {
	path, err := proc.LookPath(r.c.Env, args[0])
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: path, Args: args, Dir: "/", SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	cmd.Env = settings.Unset(settings.Unset(r.c.Env, app.LockTokenEnv), app.LockFDEnv)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the process that ends the old containers: %w", err)
	}
	return cmd.Process.Release()
}

// retireLater is that process: SECONDS CONTAINER...
func retireLater(ctx context.Context, c *plug.C) error {
	if len(c.Args) < 2 {
		return c.Usage("cannot retire nothing: give seconds and containers")
	}
	seconds, err := strconv.Atoi(c.Args[0])
	if err != nil || seconds < 0 {
		return c.Usage("cannot wait %q seconds: give a whole number", c.Args[0])
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Duration(seconds) * time.Second):
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	grace, err := stopTimeout(c.Settings())
	if err != nil {
		return err
	}
	return parallel(c.Args[1:], func(id string) error { return end(ctx, engine, id, grace) })
}

func end(ctx context.Context, engine *dockerapi.Engine, id string, grace time.Duration) error {
	return errors.Join(engine.Stop(ctx, id, grace), engine.Remove(ctx, id))
}

// cleanUp removes what earlier deploys of the app left: containers that no state file names and that nobody talks to
// any more, and ended builds. The caller holds the app's lock, so no other deploy has containers of its own now.
func cleanUp(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	current, err := runningProcesses(a)
	if err != nil {
		return err
	}
	list, err := engine.List(ctx, a.Name, "")
	if err != nil {
		return err
	}
	grace, err := stopTimeout(c.Settings())
	if err != nil {
		return err
	}
	busy := connectedPorts()
	return parallel(list, func(item dockerapi.Container) error {
		switch {
		case slices.ContainsFunc(current, func(p *process) bool { return p.container == item.ID }):
		case item.Labels[dockerapi.LabelKind] == kindRun && item.Running:
		case item.Running && (item.HostPort == 0 || busy[item.HostPort]):
			// Left to the process that waits for its time.
		case item.Running:
			return end(ctx, engine, item.ID, grace)
		default:
			return engine.Remove(ctx, item.ID)
		}
		return nil
	})
}

// connectedPorts returns the ports of this host to which somebody on it holds a connection, as the proxy does for
// every request on its way.
func connectedPorts() map[int]bool {
	ports := map[int]bool{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if port, ok := establishedTo(lines.Text()); ok {
				ports[port] = true
			}
		}
		_ = f.Close()
	}
	return ports
}

// establishedTo reads a line of /proc/net/tcp: "sl local remote state ..." with addresses in hex.
func establishedTo(line string) (port int, ok bool) {
	f := strings.Fields(line)
	if len(f) < 4 || f[3] != "01" {
		return 0, false
	}
	_, hex, found := strings.Cut(f[2], ":")
	n, err := strconv.ParseUint(hex, 16, 16)
	return int(n), found && err == nil
}
