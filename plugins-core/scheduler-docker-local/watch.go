package schedulerdockerlocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// crashes is how often a container has to be started again, while it is watched, to be called crashing.
const crashes = 2

// watchFile is locked by the process that watches over the app's old containers. Who finds it free knows that nobody
// will end them.
const watchFile = ".watch.lock"

// watch is what comes after a switch: for a while the new containers are watched, and the old ones stay warm; then the
// old ones end.
type watch struct {
	c             *plug.C
	app           app.App
	release       int
	watch, retire time.Duration
	attached      bool // whoever deployed waits for it
	old           []string
	mine          []string // the containers of the release
}

// newWatch reads how long to watch and to wait. Unless DOKKU_WATCH is set, a shorter time to retire shortens the watch;
// when it is set, the old containers live at least as long.
func newWatch(c *plug.C, a app.App, n int) (*watch, error) {
	s := c.Settings()
	w := &watch{c: c, app: a, release: n, attached: s.On(settings.WatchAttached)}
	var err error
	if w.retire, err = s.Seconds(settings.WaitToRetire, 60); err != nil {
		return nil, err
	}
	if w.watch, err = s.Seconds(settings.Watch, 30); err != nil {
		return nil, err
	}
	if s.Get(settings.Watch, "") == "" {
		w.watch = min(w.watch, w.retire)
	}
	w.retire = max(w.retire, w.watch)
	return w, nil
}

// args are the words of the process that does the rest.
func (w *watch) args() []string {
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
	return append([]string{"dokku", pluginName + ":watch", w.app.Name, strconv.Itoa(w.release), seconds(w.watch), seconds(w.retire)}, w.old...)
}

// watchVerb is that process: APP RELEASE WATCH RETIRE CONTAINER...
func watchVerb(ctx context.Context, c *plug.C) error {
	a := app.App{Name: c.Arg(0), Root: c.Settings().Root()}
	if err := app.CheckName(a.Name); err != nil {
		return err
	}
	n, err := release.Parse(c.Arg(1))
	if err != nil {
		return err
	}
	w := &watch{c: c, app: a, release: n, old: c.Args[min(4, len(c.Args)):]}
	watchFor, err1 := strconv.Atoi(c.Arg(2))
	retire, err2 := strconv.Atoi(c.Arg(3))
	if err := errors.Join(err1, err2); err != nil || watchFor < 0 || retire < 0 {
		return c.Usage("cannot watch %q: give the seconds to watch and to wait", a.Name)
	}
	w.watch, w.retire = time.Duration(watchFor)*time.Second, time.Duration(retire)*time.Second
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	if w.mine, err = containersOfRelease(ctx, engine, a, n); err != nil {
		return err
	}
	began := time.Now()
	if err := w.follow(ctx, engine); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(w.retire - time.Since(began)): // by the monotonic clock
	}
	if err := w.endOld(ctx); err != nil {
		return err
	}
	w.findApp(engine)
	return c.Trigger(ctx, "core-prune", w.app.Name)
}

// containersOfRelease are the ids of the app's containers of release n.
func containersOfRelease(ctx context.Context, engine *dockerapi.Engine, a app.App, n int) (ids []string, err error) {
	list, err := engine.List(ctx, a.Name, kindDeploy)
	for _, item := range list {
		if releaseOf(item) == n {
			ids = append(ids, item.ID)
		}
	}
	return ids, err
}

// findApp goes on under the name that the app has got meanwhile.
func (w *watch) findApp(engine *dockerapi.Engine) {
	w.app = whose(engine, w.app, slices.Concat(w.mine, w.old))
}

// whose is the app that the containers belong to, which were those of a: it may have got another name.
func whose(engine *dockerapi.Engine, a app.App, ids []string) app.App {
	name := engine.ClaimedBy(ids...)
	if name == "" && !a.Exists() {
		name, _ = a.Successor() // what cannot be told is as it was
	}
	if app.CheckName(name) == nil {
		a.Name = name
	}
	return a
}

// endOld ends the old containers, but not one that has come to serve again, or that the watch of a later release needs.
func (w *watch) endOld(ctx context.Context) error {
	return endSome(ctx, w.c, w.app, w.old, w.release)
}

// follow watches the containers of the release. One that crashes again and again, or is gone, takes the release back.
func (w *watch) follow(ctx context.Context, engine *dockerapi.Engine) error {
	for began := time.Now(); time.Since(began) < w.watch; {
		reason, err := w.crashed(ctx, engine)
		if err != nil || reason != "" {
			if err == nil {
				err = w.revert(ctx, engine, reason)
			}
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(250 * time.Millisecond):
		}
		if w.findApp(engine); !w.app.Exists() {
			continue // it is getting another name, or is destroyed
		}
		if now, err := release.Current(w.app); err != nil || now == nil || now.Number != w.release {
			return err // the next release has come, and has a watch of its own
		}
	}
	return nil
}

// crashed tells what is wrong with a container of the release, "" when all is well.
func (w *watch) crashed(ctx context.Context, engine *dockerapi.Engine) (string, error) {
	if w.app.State(app.StoppedFile) != "" {
		return "", nil
	}
	list, err := runningProcesses(w.app)
	if err != nil {
		return "", err
	}
	for _, p := range list {
		got, err := engine.Inspect(ctx, p.container)
		if dockerapi.IsNotFound(err) {
			continue // somebody removed it by hand, or a deploy did
		}
		if err != nil {
			return "", err
		}
		if releaseOf(*got) != w.release {
			return "", nil
		}
		switch {
		case got.Restarts >= crashes:
			return fmt.Sprintf("%s crashed %d times after the switch", p.dyno(), got.Restarts), nil
		case !got.Running && got.Status != "restarting" && p.kind == "web":
			return fmt.Sprintf("%s ended with status %d after the switch", p.dyno(), got.ExitCode), nil
		}
	}
	return "", nil
}

// revert takes the release back. It is an error only for whoever deployed and waits.
func (w *watch) revert(ctx context.Context, engine *dockerapi.Engine, reason string) error {
	r, err := release.Read(w.app, w.release)
	if err != nil {
		return err
	}
	if r.Previous == 0 && !w.attached { // nothing to go back to: it goes on trying
		return w.c.Trigger(ctx, "release-crashed", w.app.Name, r.Name(), reason)
	}
	output := ""
	if list, err := runningProcesses(w.app); err == nil {
		output = lastOutput(ctx, engine, list)
	}
	if w.attached {
		fmt.Fprint(w.c.Stdout, output)
	}
	err = w.c.Lock(ctx, w.app, func(c *plug.C) error { return deploy.Revert(ctx, c, w.app, w.release, reason, output) })
	if err == nil {
		err = w.c.Trigger(ctx, "release-crashed", w.app.Name, r.Name(), reason)
	}
	if err == nil && w.attached {
		err = fmt.Errorf("cannot keep release %s of %q: %s; what served before serves again", r.Name(), w.app.Name, reason)
	}
	return err
}

// holdWatch locks the watch file, for a process that inherits it and holds it until its end. That of an earlier deploy
// may hold it too.
func holdWatch(a app.App) (*os.File, error) {
	f, err := record.Open(a.Path(watchFile))
	if err != nil {
		return nil, fmt.Errorf("cannot watch %q: %w", a.Name, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot watch %q: %w", a.Name, err), f.Close())
	}
	return f, nil
}

// isWatched tells whether a process watches over the app's old containers.
func isWatched(a app.App) bool {
	f, err := os.Open(a.Path(watchFile))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// later are the words of the processes that end old containers, those of all apps, behind the program's name.
func later() (out [][]string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is good, so there is no error
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		words := strings.Split(string(data), "\x00")
		if len(words) > 2 && (words[1] == pluginName+":watch" || words[1] == pluginName+":retire") {
			out = append(out, words[1:])
		}
	}
	return out
}

// leaving are the containers that such processes end, and the apps that they belong to.
func leaving() map[string]bool {
	out := map[string]bool{}
	for _, words := range later() {
		for _, word := range words[1:] {
			out[word] = true
		}
	}
	return out
}

// isWatching tells whether a process watches release n of the app, and may go back to the one before. It says so until
// the old containers end, a while after the watch. It may know the app, whose containers are list, by the name it had.
func isWatching(a app.App, list []dockerapi.Container, n int) bool {
	return isWatched(a) && slices.ContainsFunc(later(), func(words []string) bool {
		return len(words) > 3 && words[0] == pluginName+":watch" && words[2] == strconv.Itoa(n) && words[3] != "0" &&
			(words[1] == a.Name || slices.ContainsFunc(list, func(item dockerapi.Container) bool { return slices.Contains(words[4:], item.ID) }))
	})
}
