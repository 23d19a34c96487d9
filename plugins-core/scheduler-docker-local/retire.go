package schedulerdockerlocal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// settleApp gives the containers of a release that is in service their names, and leaves the old ones running, for the
// requests that they still answer and in case the new ones crash; a process of its own watches these and ends those:
// SCHEDULER APP RELEASE.
func settleApp(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	n, err := release.Parse(c.Arg(2))
	if err != nil {
		return err
	}
	list, err := engine.List(ctx, a.Name, kindDeploy)
	if err != nil {
		return err
	}
	fresh, _, err := containersOf(a, list, n)
	if err != nil {
		return err
	}
	nameContainers(ctx, c, engine, a, list, fresh)
	failpoint.Hit(failpoint.DeployRenamed)
	w, err := newWatch(c, a, n)
	if err != nil {
		return err
	}
	serving := false
	for _, item := range list {
		if !isKept(fresh, item.ID) {
			w.old, serving = append(w.old, item.ID), serving || item.Running
		}
	}
	if serving {
		c.Info1("Shutting down old container in %d seconds", int(w.retire.Seconds()))
	}
	if w.attached {
		c.Info1("Watching %s for %d seconds ...", a.Name, int(w.watch.Seconds()))
		if err := w.follow(ctx, engine); err != nil {
			return err
		}
		w.watch = 0
	}
	if w.watch == 0 && len(w.old) == 0 {
		return nil
	}
	lock, err := holdWatch(a)
	if err == nil {
		err = errors.Join(detach(c, w.args(), lock), lock.Close())
	}
	if err != nil {
		c.Warn("The old container is left to the next deploy: %v", err)
	}
	return nil
}

// nameContainers calls the containers of processes APP.TYPE.N; ones of list that have the names now get others. The
// engine has one name space for all that use it, so another's container may have a name; ours then keeps the one it was
// made with, and that is told.
func nameContainers(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App, list []dockerapi.Container, processes []*process) {
	for _, p := range processes {
		if err := nameContainer(ctx, engine, a.Name+"."+p.dyno(), list, p); err != nil {
			c.Warn("%v", err)
		}
	}
}

func nameContainer(ctx context.Context, engine *dockerapi.Engine, name string, list []dockerapi.Container, p *process) error {
	for _, item := range list {
		if item.Name != name {
			continue
		}
		if item.ID == p.container {
			return nil
		}
		old := fmt.Sprintf("%s.v%d.%.8s", name, releaseOf(item), item.ID)
		if err := engine.Rename(ctx, item.ID, old); err != nil && !dockerapi.IsNotFound(err) {
			return err
		}
	}
	return engine.Rename(ctx, p.container, name)
}

// detach starts a dokku of its own session that outlives the push, and inherits files.
func detach(c *plug.C, args []string, files ...*os.File) error {
	path, err := proc.LookPath(c.Env, args[0])
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: path, Args: args, Dir: "/", SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	for _, kv := range c.Env {
		key, _, _ := strings.Cut(kv, "=")
		switch { // what belongs to this deploy, or to the push that it is for
		case key == app.LockTokenEnv, key == app.LockFDEnv, key == release.Env, key == deploy.BranchEnv, key == deploy.CauseEnv, strings.HasPrefix(key, "GIT_"):
		default:
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.ExtraFiles = files
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the process that ends the old containers: %w", err)
	}
	return cmd.Process.Release()
}

// retireNow is a process that ends containers beside a build: CONTAINER...
func retireNow(ctx context.Context, c *plug.C) error {
	if len(c.Args) == 0 {
		return c.Usage("cannot retire nothing: give containers")
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	return endAll(ctx, c, engine, c.Args)
}

func endAll(ctx context.Context, c *plug.C, engine *dockerapi.Engine, ids []string) error {
	grace, err := stopTimeout(c.Settings())
	if err != nil {
		return err
	}
	return parallel(ids, func(id string) error { return end(ctx, engine, id, grace) })
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
		if item.Running || item.Status == "created" || item.Status == "restarting" || isKept(current, item.ID) {
			return nil
		}
		return errors.Join(engine.Remove(ctx, item.ID), engine.RemoveUnnamed(ctx, item.Image))
	})
	for _, item := range list {
		retired := (item.Running || item.Status == "restarting") && item.Labels[dockerapi.LabelKind] == kindDeploy && !isKept(current, item.ID)
		if retired && !busy[item.HostPort] { // else it is left to the process that waits for its time
			idle = append(idle, item.ID)
		}
	}
	if len(idle) == 0 {
		return err
	}
	// Beside the build: how long an app takes to end is not the pusher's concern.
	return errors.Join(err, detach(c, append([]string{"dokku", pluginName + ":retire"}, idle...)))
}

// retireOthers ends the app's containers that are not kept, but for those that a process watches over, and those of a
// build whose process has died: the caller holds the app's lock, so nobody builds.
func retireOthers(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App, kept []*process) error {
	var watched map[string]bool
	if isWatched(a) {
		watched = leaving()
	}
	list, err := engine.List(ctx, a.Name, "")
	if err != nil {
		return err
	}
	var ids []string
	for _, item := range list {
		switch item.Labels[dockerapi.LabelKind] {
		case kindDeploy:
			if !isKept(kept, item.ID) && !watched[item.ID] {
				ids = append(ids, item.ID)
			}
		case kindBuild:
			if err := engine.Remove(ctx, item.ID); err != nil {
				return err
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return detach(c, append([]string{"dokku", pluginName + ":retire"}, ids...))
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
