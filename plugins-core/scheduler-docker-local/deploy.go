package schedulerdockerlocal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
	"github.com/dokku-go/dokku/plugins-core/internal/hostports"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// rollout is one deploy: new containers beside the old ones, a check, the switch. The old ones run on until the release
// is settled, so everything can be taken back.
type rollout struct {
	c      *plug.C
	engine *dockerapi.Engine
	app    app.App
	tag    string
	image  *dockerapi.Image
	env    []string
	args   []string // docker options of plugins
	ports  *portBook
	vars   envfile.Vars
	mapped int  // the port of the containers that its port mappings, or another variable, name
	public bool // no proxy in front: the port is the host's
	fresh  []*process

	release string // its number
	phases  []release.Phase
}

// deployApp makes and checks the containers of a release and switches to them. Where it fails, whoever began the
// release has everything put back by scheduler-adopt.
func deployApp(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	r := &rollout{c: c, engine: engine, app: a, tag: c.Arg(2), release: c.Getenv(release.Env)}
	if r.tag == "" {
		r.tag = deploy.LatestTag
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.phase("start", func() error { return r.start(ctx) }); err != nil {
		return err
	}
	failpoint.Hit(failpoint.DeployStarted)
	if err := r.phase("check", func() error { return r.check(ctx) }); err != nil {
		return errors.Join(err, r.keepOutput(context.WithoutCancel(ctx)))
	}
	failpoint.Hit(failpoint.DeployChecked)
	// From here on the deploy is not given up because the pusher goes: it takes moments, and its end is either state.
	ctx = context.WithoutCancel(ctx)
	if err := r.phase("switch", func() error { return r.switchOver(ctx) }); err != nil {
		return err
	}
	return r.note()
}

// phase does one part of the deploy and keeps how long it took.
func (r *rollout) phase(name string, f func() error) error {
	began := time.Now()
	err := f()
	r.phases = append(r.phases, release.Phase{Name: name, Seconds: time.Since(began).Round(time.Millisecond).Seconds()})
	return err
}

// note adds to the release's record what is only known here.
func (r *rollout) note() error {
	n, err := strconv.Atoi(r.release)
	if err != nil {
		return nil // somebody deploys by the hook alone
	}
	record, err := release.Read(r.app, n)
	if err != nil {
		return err
	}
	record.Phases, record.DockerOptions, record.Ports = append(record.Phases, r.phases...), r.args, map[string]int{}
	for _, p := range r.fresh {
		if p.port != 0 {
			record.Ports[p.kind] = p.port
		}
	}
	return record.Note(r.app)
}

// keepOutput keeps what the new containers have said last, before they are removed: most often it is the reason.
func (r *rollout) keepOutput(ctx context.Context) error {
	n, err := strconv.Atoi(r.release)
	if err != nil {
		return nil // somebody deploys by the hook alone
	}
	record, err := release.Read(r.app, n)
	if err != nil {
		return err
	}
	record.Output = lastOutput(ctx, r.engine, r.fresh)
	return record.Note(r.app)
}

// prepare gathers all that the containers are made of, before anything is made.
func (r *rollout) prepare(ctx context.Context) error {
	var err error
	if r.image, err = r.engine.Image(ctx, r.app.Image(r.tag)); err != nil {
		return err
	}
	vars, err := r.app.MergedEnv()
	if err != nil {
		return err
	}
	r.vars, r.env = vars, vars.List()
	mapped, err := hosts.Mappings(vars)
	if err != nil {
		return err
	}
	if len(mapped) > 0 {
		r.mapped = mapped[0].Container
	} else if r.image.Builder == "dockerfile" {
		if r.mapped, err = hosts.PortOf(vars); err != nil {
			return err
		}
	}
	if r.args, err = dockerArgs(ctx, r.c, r.app, "docker-args-deploy", r.tag, "deploy"); err != nil {
		return err
	}
	if err := hostports.RefuseTaken(ctx, r.engine, r.app, "deploy", r.args); err != nil {
		return err
	}
	vhost, err := r.c.FirstLine(ctx, "domains-vhost-enabled", r.app.Name)
	if err != nil {
		return err
	}
	r.public = vhost != "true"
	size, err := webCount(r.app)
	if err != nil {
		return err
	}
	busy, err := busyPorts(ctx, r.engine, r.app)
	if err != nil {
		return err
	}
	if r.ports, err = openPorts(r.c.Settings(), r.app.Name, size, servingPorts(r.app), busy); err != nil {
		return err
	}
	counts, err := scale.Read(r.app)
	if err != nil {
		return err
	}
	for _, p := range counts {
		for i := 1; i <= p.Count; i++ {
			p := &process{kind: p.Type, index: i, port: r.webPort(p.Type)}
			if p.args, err = r.processArgs(ctx, p); err != nil {
				return err
			}
			r.fresh = append(r.fresh, p)
		}
	}
	return nil
}

// processArgs asks the plugins for the docker options of one process, beside those that all have.
func (r *rollout) processArgs(ctx context.Context, p *process) ([]string, error) {
	text, err := r.c.Filter(ctx, "", "docker-args-process-deploy", r.app.Name, r.image.Builder, r.tag, p.kind, strconv.Itoa(p.index))
	if err != nil {
		return nil, err
	}
	words, err := shellquote.Split(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use the docker options of the plugins, by docker-args-process-deploy: %w", err)
	}
	return slices.Concat(r.args, words), hostports.RefuseTaken(ctx, r.engine, r.app, "deploy", words)
}

// webPort is the port on which a process is expected to listen: of a web process that of the app's port mappings, the
// first that its image exposes, or the one it is told by PORT. Other processes have none.
func (r *rollout) webPort(kind string) int {
	switch {
	case kind != "web":
		return 0
	case r.mapped > 0:
		return r.mapped
	case len(r.image.Ports) > 0:
		return r.image.Ports[0]
	}
	return app.Port
}

// dockerArgs asks the plugins for docker options: the filter of the phase, then the one of 2014 that knows no phases
// or takes them as an argument.
func dockerArgs(ctx context.Context, c *plug.C, a app.App, hook, tag, phase string) ([]string, error) {
	text, err := c.Filter(ctx, "", hook, a.Name, tag)
	if err != nil {
		return nil, err
	}
	old, err := c.Filter(ctx, "", "docker-args", a.Name, phase)
	if err != nil {
		return nil, err
	}
	words, err := shellquote.Split(text + " " + old)
	if err != nil {
		return nil, fmt.Errorf("cannot use the docker options of the plugins, by %s: %w", hook, err)
	}
	return words, nil
}

// start makes and starts the new containers, all at once.
func (r *rollout) start(ctx context.Context) error {
	return parallel(r.fresh, func(p *process) error { return r.startOne(ctx, p) })
}

func (r *rollout) startOne(ctx context.Context, p *process) error {
	spec := dockerapi.Spec{
		App: r.app.Name, Kind: kindDeploy, Image: r.image.ID,
		Name: fmt.Sprintf("%s.%s.upcoming-%s", r.app.Name, p.dyno(), strings.ToLower(rand.Text()[:8])),
		Env:  append(slices.Clone(r.env), "DYNO="+p.dyno()),
		Labels: map[string]string{
			dockerapi.LabelProcess: p.kind, dockerapi.LabelDyno: p.dyno(), dockerapi.LabelRelease: r.release,
		},
	}
	if err := r.command(p, &spec); err != nil {
		return err
	}
	if p.port == 0 {
		return r.launch(ctx, p, spec)
	}
	spec.Env = append(spec.Env, "PORT="+strconv.Itoa(p.port))
	ip := "127.0.0.1"
	if r.public {
		ip = "0.0.0.0"
	}
	for try := 1; ; try++ {
		// Always a port that is named: the engine would choose another one each time it starts the container.
		port, err := r.ports.take(ctx, ip)
		if err != nil {
			return err
		}
		spec.Publish = &dockerapi.Publish{HostIP: ip, HostPort: port, ContainerPort: p.port}
		if err = r.launch(ctx, p, spec); !dockerapi.IsPortTaken(err) {
			return err
		}
		if taken := hostports.RefuseTaken(ctx, r.engine, r.app, "deploy", p.args); taken != nil { // no other port of ours would help
			return taken
		}
		if try == 2*portSets {
			return err
		}
	}
}

// launch creates and starts one container. One that does not start is removed at once: another may be tried.
func (r *rollout) launch(ctx context.Context, p *process, spec dockerapi.Spec) error {
	id, err := r.engine.CreateWithOptions(ctx, spec, p.args, r.c.Env)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.DeployCreated)
	if err := r.c.Trigger(ctx, "post-container-create", "app", id, r.app.Name, "deploy", p.kind); err != nil {
		return errors.Join(err, r.engine.Remove(context.WithoutCancel(ctx), id))
	}
	if err := r.engine.Start(ctx, id); err != nil {
		return errors.Join(err, r.engine.Remove(context.WithoutCancel(ctx), id))
	}
	p.container = id
	p.got, err = r.engine.Inspect(ctx, id)
	return err
}

// check asks the check-deploy hooks about each new container; only then is it given its restart policy, so that a
// container which crashes while it is checked is seen to have crashed.
func (r *rollout) check(ctx context.Context) error {
	policy, err := r.c.FirstLine(ctx, "ps-get-property", r.app.Name, "restart-policy")
	if err == nil && policy == "" { // no plugin says
		policy = "on-failure:10"
	}
	if err != nil {
		return err
	}
	return parallel(r.fresh, func(p *process) error {
		err := r.c.Trigger(ctx, "check-deploy", r.app.Name, p.container, p.kind, strconv.Itoa(p.port), p.got.IP)
		if err != nil {
			return err
		}
		return r.engine.SetRestartPolicy(ctx, p.container, policy)
	})
}

// switchOver records the new containers and lets the proxy and the plugins switch to them.
func (r *rollout) switchOver(ctx context.Context) error {
	ip, port, err := r.record()
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.DeployRecorded)
	if err := r.c.Trigger(ctx, "core-post-deploy", r.app.Name, port, ip, r.tag); err != nil {
		return err
	}
	failpoint.Hit(failpoint.DeploySwitched)
	if err := deploy.RecordURLs(ctx, r.c, r.app); err != nil {
		return err
	}
	return r.c.Trigger(ctx, "post-deploy", r.app.Name, port, ip, r.tag)
}

// record writes the state files of the new containers and returns address and port for the hooks: the host's, as in
// 2014 (section 5).
func (r *rollout) record() (ip, port string, err error) {
	if err := recordAll(r.app, r.fresh); err != nil {
		return "", "", err
	}
	if p := first(r.fresh); p != nil {
		return p.got.HostIP, number(p.got.HostPort), nil
	}
	return "", "", nil
}
