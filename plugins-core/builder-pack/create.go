package builderpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/dockeroptions"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// job is one build.
type job struct {
	c       *plug.C
	engine  *dockerapi.Engine
	app     app.App
	dir     string
	project *descriptor
	toolbox *toolbox
	env     map[string]string // what buildpacks see: of project.toml, of the app and of all apps
	labels  map[string]string // of the image
}

// prepare gathers all that a build is made of, and refuses what cannot be done.
func prepare(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App, dir string) (*job, error) {
	b := &job{c: c, engine: engine, app: a, dir: dir}
	var err error
	if b.project, err = readDescriptor(c, a, dir); err != nil {
		return nil, err
	}
	name, err := builderName(ctx, c, a, b.project)
	if err != nil {
		return nil, err
	}
	fail := func(err error) error { return fmt.Errorf("cannot build %q with pack: %w", a.Name, err) }
	if b.toolbox, err = openToolbox(ctx, engine, name); err != nil {
		return nil, fail(err)
	}
	if err := b.toolbox.checkSocket(engine.Socket()); err != nil {
		return nil, fail(err)
	}
	vars, err := a.MergedEnv()
	if err != nil {
		return nil, err
	}
	b.env = maps.Clone(b.project.env)
	maps.Copy(b.env, vars)
	return b, b.readLabels()
}

// readLabels gathers what the image keeps of its source.
func (b *job) readLabels() error {
	var err error
	if b.labels, err = deploy.SourceLabels(b.c.Settings(), b.app, b.dir); err != nil {
		return err
	}
	text, err := deploy.SourceFile(b.dir, "Procfile")
	if err == nil {
		_, err = buildstep.ParseProcfile(string(text))
	}
	if err != nil {
		return fmt.Errorf("cannot use Procfile of %q: %w", b.app.Name, err)
	}
	b.labels[dockerapi.LabelBuilder], b.labels[dockerapi.LabelStage] = builder, "build"
	return nil
}

// create runs the lifecycle, which leaves the image in the engine.
func (b *job) create(ctx context.Context) (err error) {
	order, err := b.toolbox.order(b.project)
	if err != nil {
		return fmt.Errorf("cannot use the buildpacks that %q asks for: %w", b.app.Name, err)
	}
	spec, err := b.spec(ctx, order != "")
	if err != nil {
		return err
	}
	limits, err := deploy.LimitsOf(b.c.Settings(), b.app)
	if err != nil {
		return err
	}
	limits.Apply(&spec)
	options, err := deploy.BuildOptions(ctx, b.c, b.app, builder)
	if err != nil {
		return err
	}
	if name := dockeroptions.Bounding(options); name != "" {
		return fmt.Errorf("cannot build %q with pack: its option %s of the phase build is not for the lifecycle, which has the engine's socket; remove it with: dokku docker-options:remove %s build OPTION", b.app.Name, name, b.app.Name)
	}
	b.c.Verbose("Builder image %s", b.toolbox.name)
	id, err := b.engine.CreateWithOptions(ctx, spec, options, b.c.Env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.engine.Remove(context.WithoutCancel(ctx), id)) }()
	if err := b.fill(ctx, id, order); err != nil {
		return fmt.Errorf("cannot build %q: %w", b.app.Name, err)
	}
	status, err := b.engine.RunAttached(ctx, id, dockerapi.Streams{Stdout: b.c.Stdout, Stderr: b.c.Stderr}, false, nil)
	if err != nil {
		return err
	}
	if status != 0 {
		return limits.Ended(ctx, b.engine, b.app, id, status, fmt.Errorf("cannot build %s: %s (status %d)", b.app.Name, failure(status), status))
	}
	return b.engine.Relabel(ctx, b.app.Image(deploy.BuildTag), b.app.Name, b.labels)
}

// spec is the container of the lifecycle. It begins as root, since only root may use the socket, and becomes the
// builder's user before anything of a buildpack or of the source runs. It does not leave its groups then, so it has none
// but the builder's from the start.
func (b *job) spec(ctx context.Context, ordered bool) (dockerapi.Spec, error) {
	volume, fresh, err := cacheVolume(ctx, b.c, b.engine, b.app)
	if err != nil {
		return dockerapi.Spec{}, err
	}
	version, err := b.engine.APIVersion(ctx)
	if err != nil {
		return dockerapi.Spec{}, err
	}
	env := []string{"CNB_PLATFORM_API=" + b.toolbox.api, "DOCKER_API_VERSION=" + version, "CNB_EXPERIMENTAL_MODE=warn"}
	for key, value := range deploy.HostVariables(b.c) {
		if isProxy(key) { // the lifecycle hands these on, and no others
			env = append(env, key+"="+value)
		}
	}
	slices.Sort(env)
	uid, gid := strconv.Itoa(b.toolbox.uid), strconv.Itoa(b.toolbox.gid)
	cmd := []string{"/cnb/lifecycle/creator", "-no-color", "-daemon", "-app", "/" + strings.TrimSuffix(workspace, "/"), "-layers", "/layers",
		"-platform", "/platform", "-cache-dir", "/" + cacheDir + "build", "-launch-cache", "/" + cacheDir + "launch", "-uid", uid, "-gid", gid}
	if b.toolbox.run != "" {
		cmd = append(cmd, "-run-image", b.toolbox.run)
	}
	if ordered {
		cmd = append(cmd, "-order", "/"+orderFile)
	}
	// Without a cache the lifecycle would have the engine save all of the image, for the little that it looks at there.
	latest := b.app.Image(deploy.LatestTag)
	if image, err := b.engine.Image(ctx, latest); err == nil && image.Builder == builder && !fresh {
		cmd = append(cmd, "-previous-image", latest)
	} else if err != nil && !dockerapi.IsNotFound(err) {
		return dockerapi.Spec{}, err
	}
	return dockerapi.Spec{App: b.app.Name, Kind: "build", Image: b.toolbox.id, User: "0:" + gid, Entrypoint: []string{}, Env: env,
		Cmd:     append(cmd, b.app.Image(deploy.BuildTag)),
		Binds:   []dockerapi.Bind{{Source: b.engine.Socket(), Target: "/var/run/docker.sock"}},
		Volumes: []dockerapi.Volume{{Name: volume, Target: "/" + strings.TrimSuffix(cacheDir, "/")}}}, nil
}

// isProxy tells whether a variable of the host is one that the lifecycle heeds, and gives to buildpacks.
func isProxy(key string) bool {
	switch strings.ToUpper(key) {
	case "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY":
		return true
	}
	return false
}

// fill puts the source and the variables into the container.
func (b *job) fill(ctx context.Context, id, order string) error {
	patterns, err := b.project.ignored()
	if err != nil {
		return err
	}
	source, err := dockerapi.Pack(b.dir, patterns)
	if err != nil {
		return err
	}
	defer source.Close()
	env := map[string]string{}
	for key, value := range deploy.HostVariables(b.c) {
		if !isProxy(key) {
			env[key] = value
		}
	}
	maps.Copy(env, b.env)
	in := &input{source: source, env: env, order: order, bundle: readBundle(addedCertificates, certificateBundle), uid: b.toolbox.uid, gid: b.toolbox.gid}
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := in.write(w)
		written <- err
		_ = w.CloseWithError(err)
	}()
	err = b.engine.PutArchive(ctx, id, "/", r)
	_ = r.CloseWithError(io.ErrClosedPipe) // so that the writer ends, whatever the engine has read
	if writeErr := <-written; err != nil || writeErr != nil && !errors.Is(writeErr, io.ErrClosedPipe) {
		return errors.Join(err, writeErr)
	}
	return nil
}

// failure says what a status of the lifecycle means (the specification of platforms, "creator").
func failure(status int) string {
	switch {
	case status == 11 || status == 12:
		return "the builder image's lifecycle and its buildpacks, or we, speak different versions of the API"
	case status >= 20 && status < 30:
		return "no buildpacks of the builder image know this source"
	case status >= 30 && status < 40:
		return "the run image or the image before cannot be looked at"
	case status >= 40 && status < 50:
		return "the cache cannot be used"
	case status >= 50 && status < 60:
		return "a buildpack failed"
	case status >= 60 && status < 70:
		return "the image cannot be made"
	}
	return "the lifecycle failed"
}
