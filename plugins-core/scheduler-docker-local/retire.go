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
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// settleApp gives the containers of a release that is in service their names, and leaves the old ones running, for the
// requests that they still answer and in case the new ones crash; a process of its own watches these and ends those:
// SCHEDULER APP RELEASE.
func settleApp(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	n, err := release.Parse(c.Arg(2))
	if err != nil {
		return err
	}
	all, err := engine.List(ctx, a.Name, "")
	if err != nil {
		return err
	}
	list := ofKind(all, kindDeploy)
	fresh, _, err := containersOf(a, list, n)
	if err != nil {
		return err
	}
	nameContainers(ctx, c, engine, a, list, fresh)
	failpoint.Hit(failpoint.DeployRenamed)
	if err := removeEnded(ctx, engine, ofKind(all, kindBuild), nil); err != nil { // those that hooks changed the image with
		c.Warn("Something of the build is left to the next deploy: %v", err)
	}
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
		err = errors.Join(detach(laterEnv(c.Env), w.args(), lock), lock.Close())
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

// laterEnv is env without what belongs to this deploy, or to the push that it is for.
func laterEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{app.LockTokenEnv, app.LockFDEnv, release.Env, deploy.BranchEnv, deploy.CauseEnv}, key) || strings.HasPrefix(key, "GIT_")
	})
}

// detach starts a dokku of its own session that outlives the push, and inherits files.
func detach(env, args []string, files ...*os.File) error {
	path, err := proc.LookPath(env, args[0])
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: path, Args: args, Dir: "/", Env: env, ExtraFiles: files, SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the process that ends the old containers: %w", err)
	}
	return cmd.Process.Release()
}

// retire has a process of its own end containers of the app: how long that takes is not the pusher's concern. Who holds
// the app's lock lends it to the process; when it comes too late for that, it waits for the lock.
func retire(c *plug.C, a app.App, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	env := settings.Set(laterEnv(c.Env), app.LockTokenEnv, c.Getenv(app.LockTokenEnv))
	return detach(env, append([]string{"dokku", pluginName + ":retire", a.Name}, ids...))
}

// retireNow is that process: APP CONTAINER... What has come to be needed meanwhile it leaves alone.
func retireNow(ctx context.Context, c *plug.C) error {
	if len(c.Args) < 2 {
		return c.Usage("cannot retire nothing: give an app and containers")
	}
	ids := c.Args[1:]
	a := app.App{Name: c.Arg(0), Root: c.Settings().Root()}
	err := app.CheckName(a.Name)
	if err == nil {
		err = endSome(ctx, c, a, ids, 0)
	}
	var missing *app.NotFoundError
	if errors.As(err, &missing) {
		return nil // its containers went with it
	}
	return err
}

// endSome ends those of the app's containers that are among ids and not spared; over is as in spared. Which these are is
// found under the app's lock. A container that is not needed then is never needed again, so nobody has to wait for the
// lock while it takes its time to stop.
func endSome(ctx context.Context, c *plug.C, a app.App, ids []string, over int) error {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	var end []string
	for a = whose(engine, a, ids); ; {
		err = c.Lock(ctx, a, func(*plug.C) error {
			end, err = endable(ctx, engine, a, ids, over)
			return err
		})
		now := whose(engine, a, ids)
		if now.Name == a.Name {
			break
		}
		a = now // it got the name while we waited
	}
	if err != nil {
		return err
	}
	return endAll(ctx, c, engine, end)
}

// endable are those of the app's containers that endSome ends.
func endable(ctx context.Context, engine *dockerapi.Engine, a app.App, ids []string, over int) (end []string, err error) {
	list, err := engine.List(ctx, a.Name, "")
	if err != nil {
		return nil, err
	}
	spare, err := spared(a, list, over)
	if err != nil {
		return nil, err
	}
	for _, item := range list {
		if slices.Contains(ids, item.ID) && !spare[item.ID] {
			end = append(end, item.ID)
		}
	}
	return end, nil
}

// spared are the containers of list that nobody may end but who replaces them: those that serve, those of the current
// release and of one that is being made, and, while a process watches the current release, those of the release to
// which it would go back. The watch of release over is known to be over; 0: none is.
func spared(a app.App, list []dockerapi.Container, over int) (map[string]bool, error) {
	serving, err := runningProcesses(a)
	if err != nil {
		return nil, err
	}
	current, err := release.Current(a)
	if err != nil {
		return nil, err
	}
	needed := []*release.Release{current}
	unfinished, err := release.Unfinished(a)
	if err != nil {
		return nil, err
	}
	needed = append(needed, unfinished)
	if current != nil && current.Number != over && isWatching(a, list, current.Number) {
		before, err := release.Before(a, current.Number)
		if err != nil {
			return nil, err
		}
		needed = append(needed, before)
	}
	out := map[string]bool{}
	for _, item := range list {
		out[item.ID] = isKept(serving, item.ID) || slices.ContainsFunc(needed, func(r *release.Release) bool {
			return r != nil && item.Labels[dockerapi.LabelKind] == kindDeploy && releaseOf(item) == r.Number
		})
	}
	return out, nil
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

// cleanUp removes what earlier deploys of the app left: containers that nobody needs or talks to any more, and ended
// builds. The caller holds the app's lock, so no other deploy has containers of its own now.
func cleanUp(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	list, err := engine.List(ctx, a.Name, "")
	if err != nil {
		return err
	}
	spare, err := spared(a, list, 0)
	if err != nil {
		return err
	}
	busy := connectedPorts()
	var idle []string
	err = removeEnded(ctx, engine, list, spare)
	for _, item := range list {
		retired := (item.Running || item.Status == "restarting") && item.Labels[dockerapi.LabelKind] == kindDeploy && !spare[item.ID]
		if retired && !busy[item.HostPort] { // else it is left to the process that waits for its time
			idle = append(idle, item.ID)
		}
	}
	return errors.Join(err, retire(c, a, idle))
}

// removeEnded removes those of the containers that have ended, and their images if these have no names.
func removeEnded(ctx context.Context, engine *dockerapi.Engine, list []dockerapi.Container, spare map[string]bool) error {
	return parallel(list, func(item dockerapi.Container) error {
		if item.Running || item.Status == "created" || item.Status == "restarting" || spare[item.ID] {
			return nil
		}
		return errors.Join(engine.Remove(ctx, item.ID), engine.RemoveUnnamed(ctx, item.Image))
	})
}

func ofKind(list []dockerapi.Container, kind string) []dockerapi.Container {
	return slices.DeleteFunc(slices.Clone(list), func(item dockerapi.Container) bool { return item.Labels[dockerapi.LabelKind] != kind })
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
	return retire(c, a, ids)
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
