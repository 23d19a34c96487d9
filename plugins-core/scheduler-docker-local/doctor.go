package schedulerdockerlocal

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Deadlines of the engine: to say that it is there, and to answer all that is asked of it then.
const (
	pingTimeout   = 3 * time.Second
	engineTimeout = 15 * time.Second
)

// diagnose looks whether the engine has what the records say, and nothing else of ours.
func diagnose(ctx context.Context, c *plug.C, d *plug.Diagnosis) {
	if c.Arg(0) == "" {
		strangePorts(c, d)
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	start := "start docker (systemctl start docker), and see that this user is in the group docker"
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		d.Violation("engine", "", start, "%v", err)
		return
	}
	defer engine.Close()
	pinging, stop := context.WithTimeout(ctx, pingTimeout)
	defer stop()
	if err := engine.Ping(pinging); err != nil {
		if pinging.Err() != nil {
			err = fmt.Errorf("the docker engine does not answer within %s", pingTimeout)
		}
		d.Violation("engine", "", start, "%v", err)
		return
	}
	dataRoot, err := engine.DataRoot(ctx)
	if err != nil {
		d.Violation("engine", "", start, "%v", err)
		return
	}
	if _, err := os.Stat(dataRoot); err == nil || os.IsPermission(err) { // else the engine is on another host
		d.Space("engine", dataRoot, "dokku cleanup; keep fewer images: dokku releases:retain --global COUNT; free space below "+dataRoot)
	}
	d.EachApp(c, func(a app.App, d *plug.Diagnosis) {
		if scheduler, err := deploy.SchedulerOf(ctx, c, a); err != nil || scheduler != deploy.Scheduler {
			return
		}
		x := &examination{c: c, engine: engine, app: a, d: d}
		if err := x.run(ctx); err != nil {
			d.Violation("engine", a.Name, start, "%v", err)
		}
	})
	if c.Arg(0) == "" {
		if err := ownerless(ctx, c, engine, d); err != nil {
			d.Violation("engine", "", start, "%v", err)
		}
	}
}

// examination is a look at one app that stands still.
type examination struct {
	c       *plug.C
	engine  *dockerapi.Engine
	app     app.App
	d       *plug.Diagnosis
	current *release.Release // nil: none
	leaving map[string]bool  // words of the processes that end what is old
}

func (x *examination) run(ctx context.Context) (err error) {
	if x.current, err = release.Current(x.app); err != nil {
		return nil // plugin apps says so, and what there should be is not known
	}
	x.leaving = leaving() // before the list: who ends something removes it first and is gone then
	list, err := x.engine.List(ctx, x.app.Name, "")
	if err != nil {
		return err
	}
	kept, err := x.containers(ctx, list)
	if err != nil {
		return err
	}
	if err := x.state(ctx, kept); err != nil {
		return err
	}
	return x.images(ctx)
}

func (x *examination) recover() string { return "dokku recover " + x.app.Name }

// containers compares the containers with the processes of the current release, and returns those that are its own.
func (x *examination) containers(ctx context.Context, list []dockerapi.Container) ([]*process, error) {
	n, name := 0, "before there were releases"
	if x.current != nil {
		n, name = x.current.Number, x.current.Name()
	}
	kept, complete, err := containersOf(x.app, ofKind(list, kindDeploy), n)
	if err != nil {
		return nil, err
	}
	if !complete {
		x.d.Violation("containers", x.app.Name, x.recover(), "release %s has lost containers: %s", name, strings.Join(x.lost(kept), ", "))
	}
	stopped := release.Stopped(x.app)
	for _, item := range list {
		p := processOf(kept, item.ID)
		switch {
		case p != nil && stopped && item.Running:
			x.d.Violation("containers", x.app.Name, "dokku ps:stop "+x.app.Name+", or dokku ps:start "+x.app.Name, "%s runs, and the app is stopped", p.dyno())
		case p != nil && !stopped && !item.Running:
			x.d.Violation("containers", x.app.Name, "see dokku logs "+x.app.Name+"; dokku recover "+x.app.Name+" starts it", "%s does not run: it is %s", p.dyno(), item.Status)
		case p == nil:
			x.stray(ctx, item, name)
		}
	}
	return kept, nil
}

// lost names the processes of the current release that have no container.
func (x *examination) lost(kept []*process) []string {
	if x.current == nil {
		return []string{x.app.State("CONTAINER")}
	}
	var out []string
	for kind, count := range x.current.Processes {
		for i := range count {
			if !slices.ContainsFunc(kept, func(p *process) bool { return p.kind == kind && p.index == i+1 }) {
				out = append(out, fmt.Sprintf("%s.%d", kind, i+1))
			}
		}
	}
	slices.Sort(out)
	return out
}

// stray judges a container that is not of the current release.
func (x *examination) stray(ctx context.Context, item dockerapi.Container, current string) {
	kind := item.Labels[dockerapi.LabelKind]
	if kind == kindRun || x.leaving[item.ID] {
		return
	}
	if _, err := x.engine.Inspect(ctx, item.ID); dockerapi.IsNotFound(err) {
		return // somebody was ending it
	}
	if kind == kindDeploy {
		x.d.Violation("containers", x.app.Name, x.recover(), "container %s is there beside those of release %s, and nobody ends it", item.Name, current)
		return
	}
	x.d.Violation("containers", x.app.Name, x.recover(), "container %s (%s) is of a build, and nobody builds", item.Name, kind)
}

// state compares the state files with the containers.
func (x *examination) state(ctx context.Context, kept []*process) error {
	err := parallel(kept, func(p *process) (err error) {
		p.got, err = x.engine.Inspect(ctx, p.container)
		return err
	})
	if dockerapi.IsNotFound(err) {
		return nil // it went this moment
	}
	if err != nil {
		return err
	}
	want := map[string]string{}
	note := func(suffix string, p *process) {
		want["CONTAINER"+suffix], want["PORT"+suffix] = p.got.ID, number(p.got.HostPort)
		want["IP"+suffix] = p.got.IP
		if !p.got.Running { // it has no address, and the file has the last one
			want["IP"+suffix] = x.app.State("IP" + suffix)
		}
	}
	for _, p := range kept {
		note("."+p.dyno(), p)
	}
	if p := first(kept); p != nil {
		note("", p)
	}
	for _, pattern := range []string{"CONTAINER*", "IP*", "PORT*"} {
		for _, file := range x.app.StateFiles(pattern) {
			if base, suffix, dotted := strings.Cut(file, "."); base == strings.TrimSuffix(pattern, "*") && (!dotted || suffix != "") {
				want[file] += "" // that there should be none is to be seen too
			}
		}
	}
	for file, value := range want {
		if got := x.app.State(file); got != value {
			x.d.Violation("state", x.app.Name, x.recover(), "file %s says %s, and the container %s", file, quoted(got), quoted(value))
		}
	}
	return nil
}

// quoted is a value of a state file for a reader: an id in short.
func quoted(value string) string {
	if len(value) == 64 {
		value = value[:12]
	}
	if value == "" {
		return "nothing"
	}
	return strconv.Quote(value)
}

// images compares the names of the app's images with the releases whose images are kept.
func (x *examination) images(ctx context.Context) error {
	all, err := release.List(x.app)
	if err != nil {
		return nil // plugin apps says so
	}
	kept := release.Kept(all, release.Retain(x.c.Settings(), x.app.Name))
	names, err := x.engine.Names(ctx, x.app.Repository())
	if err != nil {
		return err
	}
	tags := map[string]string{}
	for _, n := range names {
		tags[n.Tag] = n.Image
		number, err := release.Parse(n.Tag)
		switch {
		case n.Tag == deploy.BuildTag:
			x.d.Violation("images", x.app.Name, x.recover(), "there is %s, and nobody builds", x.app.Image(n.Tag))
		case err != nil || release.Name(number) != n.Tag: // not ours to judge
		case slices.ContainsFunc(kept, func(r *release.Release) bool { return r.Number == number }):
		case len(all) == 0 || number > all[0].Number:
			x.d.Violation("images", x.app.Name, "docker rmi "+x.app.Image(n.Tag), "there is %s, and no such release", x.app.Image(n.Tag))
		case !x.leaving[x.app.Name]: // else the watch removes it at its end
			x.d.Violation("images", x.app.Name, "dokku cleanup "+x.app.Name, "there is %s, and no rollback can go there", x.app.Image(n.Tag))
		}
	}
	if x.current == nil {
		return nil
	}
	for _, tag := range []string{x.current.Name(), deploy.LatestTag} {
		if tags[tag] != x.current.Image && (tag != deploy.LatestTag || !release.Stopped(x.app)) {
			x.d.Violation("images", x.app.Name, x.recover(), "%s is not the image that is in service", x.app.Image(tag))
		}
	}
	return nil
}

// ownerless finds containers and images of this instance that belong to no app.
func ownerless(ctx context.Context, c *plug.C, engine *dockerapi.Engine, d *plug.Diagnosis) error {
	root := c.Settings().Root()
	list, err := engine.List(ctx, "", "")
	if err != nil {
		return err
	}
	for _, item := range list {
		name := item.App
		if name == "" || (app.App{Name: name, Root: root}).Exists() || item.Labels[dockerapi.LabelKind] == "cache" {
			continue // that one removes the rest of an app
		}
		if _, err := engine.Inspect(ctx, item.ID); !dockerapi.IsNotFound(err) {
			d.Violation("containers", name, "docker rm -f "+item.Name, "container %s is of an app that is not there", item.Name)
		}
	}
	names, err := engine.Names(ctx, "")
	if err != nil {
		return err
	}
	for _, n := range names {
		name, _ := strings.CutPrefix(n.Repository, "dokku/")
		if n.Ours && app.CheckName(name) == nil && !(app.App{Name: name, Root: root}).Exists() {
			ref := n.Repository + ":" + n.Tag
			if id, err := engine.ImageID(ctx, ref); err != nil || id != "" {
				d.Violation("images", name, "docker rmi "+ref, "image %s is of an app that is not there", ref)
			}
		}
	}
	return nil
}

// strangePorts finds host ports that two apps have, or one that is not there: only a hand can have brought that about.
func strangePorts(c *plug.C, d *plug.Diagnosis) {
	entries, err := os.ReadDir(portDir(c.Settings()))
	if err != nil {
		return // nothing was deployed yet
	}
	owner := map[int]string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		file := filepath.Join(portDir(c.Settings()), e.Name())
		ports, err := readPorts(file)
		if err != nil {
			d.Violation("state", e.Name(), "see that this user may read it", "its ports cannot be read: %v", err)
		}
		if !(app.App{Name: e.Name(), Root: c.Settings().Root()}).Exists() {
			d.Violation("state", e.Name(), "rm "+file, "%s keeps ports for an app that is not there", file)
			continue
		}
		for _, port := range ports {
			if other := owner[port]; other != "" {
				d.Violation("state", e.Name(), "rm "+file+"; dokku ps:restart "+e.Name(), "it and %s both have port %s", other, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			}
			owner[port] = e.Name()
		}
	}
}
