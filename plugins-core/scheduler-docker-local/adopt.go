package schedulerdockerlocal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// adoptApp makes the containers of one release the ones that serve: SCHEDULER APP KEEP DROP. Those of release KEEP (0:
// those that belong to no release) are started unless the app was stopped, state files and proxy name them, and those
// of release DROP are removed. It ends with [deploy.ContainersMissing] when not all of KEEP's are there,
// and with [deploy.ContainersDown] when one that had to be started does not pass its check.
func adoptApp(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	keep, err1 := strconv.Atoi(c.Arg(2))
	drop, err2 := strconv.Atoi(c.Arg(3))
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("cannot adopt a release of %q: %w", a.Name, err)
	}
	list, err := engine.List(ctx, a.Name, kindDeploy)
	if err != nil {
		return err
	}
	kept, complete, err := containersOf(a, list, keep)
	if err != nil {
		return err
	}
	if !complete {
		if err := removeRelease(ctx, engine, list, drop); err != nil {
			return err
		}
		return &pluginhook.ExitError{Path: c.Path, Code: deploy.ContainersMissing}
	}
	if !release.Stopped(a) {
		err = parallel(kept, func(p *process) error { return startAgain(ctx, engine, p.container) })
		if dockerapi.IsPortTaken(err) {
			c.Warn("%v", err)
			return &pluginhook.ExitError{Path: c.Path, Code: deploy.ContainersMissing}
		}
		if err != nil {
			return err
		}
	}
	err = parallel(kept, func(p *process) (err error) {
		p.got, err = engine.Inspect(ctx, p.container)
		return err
	})
	if err != nil {
		return err
	}
	if err := serve(ctx, c, a, kept); err != nil {
		return err
	}
	err = removeRelease(ctx, engine, list, drop)
	nameContainers(ctx, c, engine, a, list, kept)
	if err := errors.Join(err, retireOthers(ctx, c, engine, a, kept)); err != nil || release.Stopped(a) {
		return err
	}
	return checkAgain(ctx, c, a, keep, slices.DeleteFunc(kept, settled))
}

// settled tells whether a container has run for a while and was not started again: that it was started by us just now,
// or by the engine at a boot or after a crash, is no reason yet to call it up.
func settled(p *process) bool {
	const while = 10 * time.Second
	return p.got.Running && p.got.Restarts == 0 && p.got.Up() > while
}

// removeRelease removes the containers of release n; 0 is none.
func removeRelease(ctx context.Context, engine *dockerapi.Engine, list []dockerapi.Container, n int) error {
	return parallel(list, func(item dockerapi.Container) error {
		if n == 0 || releaseOf(item) != n {
			return nil
		}
		return engine.Remove(ctx, item.ID)
	})
}

// startAgain starts a container unless it runs. At a boot the engine itself may be starting and ending it, and have its
// port for a moment.
func startAgain(ctx context.Context, engine *dockerapi.Engine, id string) error {
	for try := 1; ; try++ {
		err := engine.Start(ctx, id)
		if !dockerapi.IsPortTaken(err) || try == 10 {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// checkAgain has containers that were started again pass their check: at a boot nobody else would see that one fails.
func checkAgain(ctx context.Context, c *plug.C, a app.App, n int, list []*process) error {
	ports := map[string]int{}
	if n != 0 {
		r, err := release.Read(a, n)
		if err != nil {
			return err
		}
		ports = r.Ports
	}
	err := parallel(list, func(p *process) error {
		return c.Trigger(ctx, "check-deploy", a.Name, p.container, p.kind, strconv.Itoa(ports[p.kind]), p.got.IP)
	})
	if err != nil && ctx.Err() == nil {
		err = &pluginhook.ExitError{Path: c.Path, Code: deploy.ContainersDown}
	}
	return err
}

// serve has state files and proxy name these processes.
func serve(ctx context.Context, c *plug.C, a app.App, list []*process) error {
	if err := recordAll(a, list); err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.Join(c.Trigger(ctx, "proxy-clear-config", a.Name), a.SetState("URL", ""), a.SetState("URLS", ""))
	}
	if err := c.Trigger(ctx, "proxy-build-config", a.Name); err != nil {
		return err
	}
	return deploy.RecordURLs(ctx, c, a)
}

// containersOf picks the containers of one release from list. complete tells whether all of them are there.
func containersOf(a app.App, list []dockerapi.Container, n int) (out []*process, complete bool, err error) {
	want := map[string]bool{}
	if n == 0 {
		// Without any release there may have been something of before there were releases.
		if complete, err = release.Any(a); err != nil {
			return nil, false, err
		}
		complete = complete || a.State("CONTAINER") == ""
	} else {
		r, err := release.Read(a, n)
		if err != nil {
			return nil, false, err
		}
		for kind, count := range r.Processes {
			for i := range count {
				want[fmt.Sprintf("%s.%d", kind, i+1)] = true
			}
		}
	}
	for _, item := range list {
		dyno := item.Labels[dockerapi.LabelDyno]
		kind, index, ok := strings.Cut(dyno, ".")
		i, err := strconv.Atoi(index)
		if releaseOf(item) != n || !ok || err != nil || n != 0 && !want[dyno] {
			continue
		}
		delete(want, dyno)
		out = append(out, &process{kind: kind, index: i, container: item.ID})
	}
	sortProcesses(out)
	if n == 0 {
		return out, complete || len(out) > 0, nil
	}
	return out, len(want) == 0, nil
}

// releaseOf is the number of the release that a container belongs to, 0 when it belongs to none.
func releaseOf(item dockerapi.Container) int {
	n, err := strconv.Atoi(item.Labels[dockerapi.LabelRelease])
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// processOf is the one of list that runs in the container of that id; nil when none does.
func processOf(list []*process, id string) *process {
	if i := slices.IndexFunc(list, func(p *process) bool { return p.container == id }); i >= 0 {
		return list[i]
	}
	return nil
}

func isKept(list []*process, id string) bool { return processOf(list, id) != nil }
