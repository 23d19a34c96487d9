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

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Tags of an app's image.
const (
	BuildTag  = "build"  // being built, or built and not yet serving
	LatestTag = "latest" // serving
)

// FromDirectory builds and deploys the source tree dir, which it may change. rev names the source, "" if it has no
// name. The caller holds the app's lock.
func FromDirectory(ctx context.Context, c *plug.C, a app.App, dir, rev string) error {
	if err := Build(ctx, c, a, dir, rev); err != nil {
		return err
	}
	if err := ReleaseAndDeploy(ctx, c, a, BuildTag); err != nil {
		return errors.Join(err, dropBuild(context.WithoutCancel(ctx), c, a))
	}
	c.Info2("Application deployed:")
	if url := a.State("URL"); url != "" {
		c.Verbose("%s", url)
	}
	fmt.Fprintln(c.Stdout)
	return nil
}

// Build makes the app's image of tag [BuildTag] from the source tree dir.
func Build(ctx context.Context, c *plug.C, a app.App, dir, rev string) error {
	if err := c.Trigger(ctx, "core-post-extract", a.Name, dir, rev); err != nil {
		return err
	}
	if err := c.Trigger(ctx, "post-extract", a.Name, dir, rev); err != nil {
		return err
	}
	builder, err := c.FirstLine(ctx, "builder-detect", a.Name, dir)
	if err != nil {
		return err
	}
	if builder == "" {
		return fmt.Errorf("cannot build %q: no builder plugin knows this kind of source", a.Name)
	}
	if err := c.Trigger(ctx, "pre-receive-app", a.Name, builder, dir, rev); err != nil {
		return err
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
	// An image of a build that failed or was cut short is not to be taken for this one's.
	if err := dropBuild(ctx, c, a); err != nil {
		return err
	}
	c.Info1("Building %s ...", a.Name)
	if err := c.Trigger(ctx, "builder-build", builder, a.Name, dir); err != nil {
		return errors.Join(err, dropBuild(context.WithoutCancel(ctx), c, a))
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

// ReleaseAndDeploy releases the app's image of that tag and puts it in service.
func ReleaseAndDeploy(ctx context.Context, c *plug.C, a app.App, tag string) error {
	if err := Release(ctx, c, a, tag); err != nil {
		return err
	}
	c.Info1("Deploying %s ...", a.Name)
	return Start(ctx, c, a, tag)
}

// Release has the builder of the app's image of that tag do what there is to do between build and deploy.
func Release(ctx context.Context, c *plug.C, a app.App, tag string) error {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
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

// Start puts the app's image of that tag in service and makes it the latest.
func Start(ctx context.Context, c *plug.C, a app.App, tag string) error {
	scheduler, err := SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	if err := ImageHook(ctx, c, a, tag, "pre-deploy", a.Name, tag); err != nil {
		return err
	}
	if err := c.Trigger(ctx, "scheduler-deploy", scheduler, a.Name, tag); err != nil {
		return err
	}
	if err := a.SetState(app.StoppedFile, ""); err != nil {
		c.Warn("%s is live, but a boot will not start it: %v", a.Name, err)
	}
	if tag != BuildTag {
		return nil
	}
	// The new version serves by now, so this cannot make the deploy a failure.
	if err := Promote(context.WithoutCancel(ctx), c, a); err != nil {
		c.Warn("%s is live, but its image is not its latest yet: %v; push again, or a restart brings the version before", a.Name, err)
	}
	return nil
}

// Promote makes the built image the app's latest.
func Promote(ctx context.Context, c *plug.C, a app.App) error {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := engine.Tag(ctx, a.Image(BuildTag), a.Image(LatestTag)); err != nil {
		return err
	}
	return engine.RemoveImage(ctx, a.Image(BuildTag))
}

// ImageHook triggers a hook whose listeners may change the image: plugins of 2014 run a container of dokku/APP and
// commit it back to dokku/APP. For as long as they run that name means the image of that tag; then the tag is moved
// to what they left, and the name goes back to the image that serves.
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
	return errors.Join(err, unstage(context.WithoutCancel(ctx), engine, a, tag, serving))
}

func unstage(ctx context.Context, engine *dockerapi.Engine, a app.App, tag, serving string) error {
	if err := engine.Tag(ctx, a.Image(LatestTag), a.Image(tag)); err != nil {
		return err
	}
	if serving == "" {
		return engine.RemoveImage(ctx, a.Image(LatestTag))
	}
	return engine.Tag(ctx, serving, a.Image(LatestTag))
}

// Restart puts the latest image in service again, after a setting changed. An app that was never deployed, or that is
// being deployed by whoever started us, has nothing to restart.
func Restart(ctx context.Context, c *plug.C, a app.App) error {
	if a.HeldByAncestor(c.Getenv(app.LockTokenEnv)) {
		c.Verbose("%s is being deployed now: its next start uses the new values", a.Name)
		return nil
	}
	return c.Lock(ctx, a, func(c *plug.C) error {
		if a.State("CONTAINER") == "" {
			return nil
		}
		return ReleaseAndDeploy(ctx, c, a, LatestTag)
	})
}
