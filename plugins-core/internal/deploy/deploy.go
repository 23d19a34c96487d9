// Package deploy is the road from a source tree to a running app: the order of the hooks, and what happens to the
// images on the way. The steps themselves are hooks of plugins, under the names that today's dokku gives them.
//
// A build is tagged [BuildTag] and becomes the app's latest image only when its containers have taken over, so a
// failed build leaves the old image in place.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Tags of an app's image.
const (
	BuildTag  = "build"  // being built, or built and not yet serving
	LatestTag = "latest" // serving
)

// CauseEnv is the environment variable that says why something is deployed, for the record of the release.
const CauseEnv = "DOKKU_CAUSE"

// BranchEnv is the environment variable that names the branch which was pushed, for the record of the release.
const BranchEnv = "DOKKU_PUSHED_BRANCH"

// Source is what is put in service, and why.
type Source struct {
	Tag      string          // of the app's image
	Cause    string          // as in release.Release
	Revision string          // git commit; "": that of the current release, if its image is the same
	Phases   []release.Phase // what has been done for it already
	Build    *release.Build  // of the image, if it is known; nil: that of the current release, if its image is the same
	repeats  *release.Release
}

// FromDirectory builds and deploys the source tree dir, which it may change. rev names the source, "" if it has no
// name. The caller holds the app's lock.
func FromDirectory(ctx context.Context, c *plug.C, a app.App, dir, rev string) error {
	began := time.Now()
	built, err := Build(ctx, c, a, dir, rev)
	if err != nil {
		tell(c, release.Event{App: a.Name, What: "build-failed", Text: firstLine(err)})
		return err
	}
	cause := c.Getenv(CauseEnv)
	if cause == "" {
		cause = "push"
	}
	s := Source{Tag: BuildTag, Cause: cause, Revision: rev, Phases: []release.Phase{since("build", began)}, Build: built}
	if err := ReleaseAndDeploy(ctx, c, a, s); err != nil {
		return errors.Join(err, dropBuild(context.WithoutCancel(ctx), c, a))
	}
	c.Info2("Application deployed:")
	if url := a.State("URL"); url != "" {
		c.Verbose("%s", url)
	}
	fmt.Fprintln(c.Stdout)
	return nil
}

// Build makes the app's image of tag [BuildTag] from the source tree dir, or gives the tag to one that was made of the
// same. It returns what the release is to remember of that.
func Build(ctx context.Context, c *plug.C, a app.App, dir, rev string) (*release.Build, error) {
	if err := refuseLocked(a, ""); err != nil {
		return nil, err
	}
	if err := checkSpace(c, a); err != nil {
		return nil, err
	}
	record.Sweep(a.Dir())
	if err := c.Trigger(ctx, "core-post-extract", a.Name, dir, rev); err != nil {
		return nil, err
	}
	if err := c.Trigger(ctx, "post-extract", a.Name, dir, rev); err != nil {
		return nil, err
	}
	builder, why, err := chooseBuilder(ctx, c, a, dir)
	if err != nil {
		return nil, err
	}
	if err := c.Trigger(ctx, "pre-receive-app", a.Name, builder, dir, rev); err != nil {
		return nil, err
	}
	if err := cleanUp(ctx, c, a); err != nil {
		return nil, err
	}
	// An image of a build that failed or was cut short is not to be taken for this one's.
	if err := dropBuild(ctx, c, a); err != nil {
		return nil, err
	}
	c.Info1("Building %s ...", a.Name)
	c.Info1("Building %s with %s: %s", a.Name, builder, why)
	built, done, err := reuse(ctx, c, a, builder, dir)
	if err != nil || done {
		return built, err
	}
	err = inSlot(ctx, c, a, func(c *plug.C) error {
		return inTime(ctx, c, a, func(ctx context.Context) error { return c.Trigger(ctx, "builder-build", builder, a.Name, dir) })
	})
	if err == nil && built != nil {
		built.Image, err = buildID(ctx, c, a)
	}
	if err != nil {
		return nil, errors.Join(err, dropBuild(context.WithoutCancel(ctx), c, a))
	}
	return built, nil
}

// buildID is the id of the image that was just built.
func buildID(ctx context.Context, c *plug.C, a app.App) (string, error) {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return "", err
	}
	defer engine.Close()
	return engine.ImageID(ctx, a.Image(BuildTag))
}

// cleanUp removes what earlier deploys have left, unless an admin does not want that.
func cleanUp(ctx context.Context, c *plug.C, a app.App) error {
	if property.Get(c.Settings(), BuilderPlugin, a.Name, SkipCleanupKey) == "true" {
		return nil
	}
	scheduler, err := SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	c.Info1("Cleaning up ...")
	if err := c.Trigger(ctx, "scheduler-retire", scheduler, a.Name); err != nil {
		if ctx.Err() != nil {
			return err
		}
		c.Warn("Something of earlier deploys could not be removed; the build goes on")
	}
	return nil
}

func dropBuild(ctx context.Context, c *plug.C, a app.App) error {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	return engine.RemoveImage(ctx, a.Image(BuildTag))
}

// Scheduler is the name of the scheduler that runs containers on this host's engine, the default one.
const Scheduler = "docker-local"

// SchedulerOf asks which scheduler runs the app.
func SchedulerOf(ctx context.Context, c *plug.C, a app.App) (string, error) {
	name, err := c.FirstLine(ctx, "scheduler-detect", a.Name)
	if name == "" {
		name = Scheduler
	}
	return name, err
}

// ReleaseAndDeploy releases an image of the app and puts it in service.
func ReleaseAndDeploy(ctx context.Context, c *plug.C, a app.App, s Source) error {
	if err := refuseLocked(a, s.Cause); err != nil { // before a plugin changes the image
		return err
	}
	if !isOwn(s.Tag) {
		return asBuild(ctx, c, a, s, ReleaseAndDeploy)
	}
	began := time.Now()
	if err := Release(ctx, c, a, s.Tag); err != nil {
		return err
	}
	s.Phases = append(s.Phases, since("release", began))
	if s.Cause == "config" { // scripts know this text, of config:set and config:unset
		c.Info1("Release complete!")
	}
	c.Info1("Deploying %s ...", a.Name)
	return Start(ctx, c, a, s)
}

// Release has the builder of the app's image of that tag do what there is to do between build and deploy.
func Release(ctx context.Context, c *plug.C, a app.App, tag string) error {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	if tag == LatestTag {
		if err := findLatest(ctx, engine, a); err != nil {
			return err
		}
	}
	image, err := engine.Image(ctx, a.Image(tag))
	if dockerapi.IsNotFound(err) {
		return fmt.Errorf("cannot deploy %q: it has no image; push its code first", a.Name)
	}
	if err != nil {
		return err
	}
	c.Info1("Releasing %s ...", a.Name)
	return c.Trigger(ctx, "builder-release", image.Builder, a.Name, tag)
}

// ImageHook triggers a hook whose listeners may change the image: plugins of 2014 run a container of dokku/APP and
// commit it back to dokku/APP. For as long as they run that name means the image of that tag; then the tag is moved
// to what they left, and the name goes back to the image that serves. Plugins of today may commit to the tag itself.
func ImageHook(ctx context.Context, c *plug.C, a app.App, tag, hook string, args ...string) error {
	if found, err := c.Implemented(hook); err != nil || !found {
		return err
	}
	if tag == LatestTag {
		return c.Trigger(ctx, hook, args...)
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	serving, err := engine.ImageID(ctx, a.Image(LatestTag))
	if err != nil {
		return err
	}
	staged, err := engine.ImageID(ctx, a.Image(tag))
	if err != nil {
		return err
	}
	if staged == "" { // before the build there may be nothing to change
		return c.Trigger(ctx, hook, args...)
	}
	if err := engine.Tag(ctx, staged, a.Image(LatestTag)); err != nil {
		return err
	}
	err = c.Trigger(ctx, hook, args...)
	// Whatever happened, and even if the pusher has gone: the name goes back.
	return errors.Join(err, unstage(context.WithoutCancel(ctx), engine, a, tag, staged, serving))
}

func unstage(ctx context.Context, engine *dockerapi.Engine, a app.App, tag, staged, serving string) error {
	left, err := engine.ImageID(ctx, a.Image(LatestTag))
	if err != nil {
		return err
	}
	if left != staged {
		if err := engine.Tag(ctx, a.Image(LatestTag), a.Image(tag)); err != nil {
			return err
		}
	}
	if serving == "" {
		return engine.RemoveImage(ctx, a.Image(LatestTag))
	}
	return engine.Tag(ctx, serving, a.Image(LatestTag))
}

// Deployed tells whether the app was ever put in service.
func Deployed(a app.App) bool {
	if a.State("CONTAINER") != "" {
		return true
	}
	current, err := release.Current(a) // with no process at all there is no container
	return err == nil && current != nil
}

// Reproxy has the proxy serve an app by its settings as they are now, and records where it answers, after a setting
// changed that containers do not know of; under the app's lock. Nothing is to be done for an app that does not run.
// When nginx refuses what has changed it goes on as before.
func Reproxy(ctx context.Context, c *plug.C, a app.App) error {
	if !Deployed(a) {
		return nil
	}
	if err := c.Trigger(ctx, "proxy-build-config", a.Name, ReproxyWord); err != nil {
		return err
	}
	return RecordURLs(ctx, c, a)
}

// ReproxyWord tells proxy-build-config that it has to fail when the proxy refuses what is new.
const ReproxyWord = "changed"

// RecordURLs asks the proxy's plugin where the app answers; without one it is the host's name and the port.
func RecordURLs(ctx context.Context, c *plug.C, a app.App) error {
	text, err := c.Query(ctx, "domains-urls", a.Name, "urls")
	if err != nil {
		return err
	}
	urls := strings.Fields(text)
	if len(urls) == 0 {
		return errors.Join(a.SetState("URL", ""), a.SetState("URLS", ""))
	}
	return errors.Join(a.KeepState("URL", urls[0]), a.KeepState("URLS", strings.Join(urls, "\n")))
}

// Restart puts the latest image in service again, after a setting changed; cause says which. An app that was never
// deployed, or that is being deployed by whoever started us, has nothing to restart.
func Restart(ctx context.Context, c *plug.C, a app.App, cause string) error {
	if a.HeldByAncestor(c.Getenv(app.LockTokenEnv)) {
		c.Verbose("%s is being deployed now: its next start uses the new values", a.Name)
		return nil
	}
	return c.Lock(ctx, a, func(c *plug.C) error { return RestartLocked(ctx, c, a, cause) })
}

// RestartLocked is Restart for who has taken the app's lock.
func RestartLocked(ctx context.Context, c *plug.C, a app.App, cause string) error {
	if !Deployed(a) {
		return nil
	}
	return ReleaseAndDeploy(ctx, c, a, Source{Tag: LatestTag, Cause: cause})
}
