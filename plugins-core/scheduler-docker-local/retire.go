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
// answer; a process of its own ends them after DOKKU_WAIT_TO_RETIRE seconds. The new version serves by now, so nothing
// in here makes the deploy a failure: it is said, and the next deploy cleans up.
func (r *rollout) retire(ctx context.Context) {
	r.rename(ctx)
	if len(r.old) == 0 {
		return
	}
	wait, err := r.c.Settings().Int(settings.WaitToRetire, 60)
	if err == nil {
		args := []string{"dokku", pluginName + ":retire", strconv.Itoa(wait)}
		for _, p := range r.old {
			args = append(args, p.container)
		}
		r.c.Info1("Shutting down old container in %d seconds", wait)
		err = detach(r.c, args)
	}
	if err != nil {
		r.c.Warn("The old container is left to the next deploy: %v", err)
	}
}

// rename calls the new containers APP.TYPE.N. The engine has one name space for all that use it, so another's container
// may have the name; ours then keeps the one it was made with.
func (r *rollout) rename(ctx context.Context) {
	for _, p := range r.old {
		name := fmt.Sprintf("%s.%s.%d", r.app.Name, p.dyno(), time.Now().UnixNano())
		if err := r.engine.Rename(ctx, p.container, name); err != nil && !dockerapi.IsNotFound(err) {
			r.c.Warn("%v", err)
		}
	}
	for _, p := range r.fresh {
		if err := r.engine.Rename(ctx, p.container, r.app.Name+"."+p.dyno()); err != nil {
			r.c.Warn("%v", err)
		}
	}
}

// detach starts a dokku of its own session that outlives the push.
func detach(c *plug.C, args []string) error {
	path, err := proc.LookPath(c.Env, args[0])
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: path, Args: args, Dir: "/", SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	cmd.Env = settings.Unset(settings.Unset(c.Env, app.LockTokenEnv), app.LockFDEnv)
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

// end stops and removes a container, and its image if that has no name any more.
func end(ctx context.Context, engine *dockerapi.Engine, id string, grace time.Duration) error {
	got, err := engine.Inspect(ctx, id)
	if dockerapi.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(engine.Stop(ctx, id, grace), engine.Remove(ctx, id)); err != nil {
		return err
	}
	return engine.RemoveUnnamed(ctx, got.Image)
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
	busy := connectedPorts()
	var idle []string
	err = parallel(list, func(item dockerapi.Container) error {
		if item.Running || item.Status == "created" || slices.ContainsFunc(current, func(p *process) bool { return p.container == item.ID }) {
			return nil
		}
		return errors.Join(engine.Remove(ctx, item.ID), engine.RemoveUnnamed(ctx, item.Image))
	})
	for _, item := range list {
		retired := item.Running && item.Labels[dockerapi.LabelKind] == kindDeploy &&
			!slices.ContainsFunc(current, func(p *process) bool { return p.container == item.ID })
		if retired && item.HostPort != 0 && !busy[item.HostPort] { // else it is left to the process that waits for its time
			idle = append(idle, item.ID)
		}
	}
	if len(idle) == 0 {
		return err
	}
	// Beside the build: how long an app takes to end is not the pusher's concern.
	return errors.Join(err, detach(c, append([]string{"dokku", pluginName + ":retire", "0"}, idle...)))
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
