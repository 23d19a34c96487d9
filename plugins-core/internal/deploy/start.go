package deploy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// undoTimeout bounds how long going back may take.
const undoTimeout = 5 * time.Minute

// Start puts an image of the app in service as a new release, and makes it the latest. Until the release's record says
// that it is deployed everything is taken back when something fails; from then on nothing makes it a failure, but for a
// watch that the pusher waits for.
func Start(ctx context.Context, c *plug.C, a app.App, s Source) error {
	if err := refuseLocked(a, s.Cause); err != nil {
		return err
	}
	if !isOwn(s.Tag) {
		return asBuild(ctx, c, a, s, Start)
	}
	scheduler, err := SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	if s.Tag == LatestTag {
		if err := findLatest(ctx, engine, a); err != nil {
			return err
		}
	}
	if err := reserve(c.Settings(), a); err != nil {
		return err
	}
	settings := c.Settings()
	defer func() {
		if err := Unreserve(settings, a); err != nil {
			c.Warn("%v", err)
		}
	}()
	r, err := begin(ctx, c, engine, a, s)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.DeployBegun)
	c = c.With(release.Env, strconv.Itoa(r.Number))
	if err := carryOut(ctx, c, engine, a, scheduler, s, r); err != nil {
		return giveUp(ctx, c, a, scheduler, r.Number, err)
	}
	failpoint.Hit(failpoint.DeployCommitted)
	return settle(context.WithoutCancel(ctx), c, engine, a, scheduler, r)
}

// begin numbers the release and writes down what it is made of.
func begin(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App, s Source) (*release.Release, error) {
	image, err := engine.ImageID(ctx, a.Image(s.Tag))
	if err != nil {
		return nil, err
	}
	if image == "" {
		return nil, fmt.Errorf("cannot deploy %q: it has no image; push its code first", a.Name)
	}
	current, err := release.Current(a)
	if err != nil {
		return nil, err
	}
	r := &release.Release{Cause: s.Cause, Revision: s.Revision, Branch: c.Getenv(BranchEnv), Image: image, Phases: s.Phases, Build: s.Build,
		By: release.By{Name: c.Getenv("SSH_NAME"), Fingerprint: c.Getenv("FINGERPRINT"), User: c.Getenv("SSH_USER")}}
	if current != nil {
		r.Previous = current.Number
		if r.Branch == "" {
			r.Branch = current.Branch
		}
		if r.Revision == "" && current.Image == image {
			r.Revision = current.Revision
		}
		if r.Build == nil && current.Image == image {
			r.Build = current.Build.Again(current)
		}
	}
	if old := s.repeats; old != nil {
		r.RollbackOf, r.Config, r.Processes, r.Domains, r.Files = old.Number, old.Config, old.Processes, old.Domains, old.Files
		if old.Image == image {
			r.Build = old.Build.Again(old)
		}
		err = r.Remember(a)
	} else {
		err = r.Observe(a)
	}
	if err != nil {
		return nil, err
	}
	if err := release.Begin(a, r); err != nil {
		return nil, fmt.Errorf("cannot begin a release of %q: %w", a.Name, err)
	}
	return r, nil
}

// carryOut does all up to and with the moment at which the release is the current one.
func carryOut(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App, scheduler string, s Source, r *release.Release) error {
	if s.repeats != nil {
		if err := r.Apply(ctx, a); err != nil {
			return err
		}
		failpoint.Hit(failpoint.DeployFiles)
	}
	if err := ImageHook(ctx, c, a, s.Tag, "pre-deploy", a.Name, s.Tag); err != nil {
		return err
	}
	image, err := engine.ImageID(ctx, a.Image(s.Tag)) // a plugin may have changed it
	if err != nil {
		return err
	}
	if image != r.Image {
		r.Image = image
		if err := r.Note(a); err != nil {
			return err
		}
	}
	if err := c.Trigger(ctx, "scheduler-deploy", scheduler, a.Name, s.Tag); err != nil {
		return err
	}
	// It serves. A pusher who goes now does not take it away again.
	ctx = context.WithoutCancel(ctx)
	if err := c.Trigger(ctx, "core-pre-commit", a.Name, strconv.Itoa(r.Number)); err != nil {
		return err
	}
	failpoint.Hit(failpoint.DeployCommitting)
	noted, err := release.Read(a, r.Number) // with what the scheduler has noted
	if err != nil {
		return err
	}
	*r = *noted
	return r.Finish(a, release.Deployed, "")
}

// giveUp takes a release back that did not come to its end.
func giveUp(ctx context.Context, c *plug.C, a app.App, scheduler string, n int, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	r, err := release.Read(a, n)
	if err == nil {
		err = takeBack(ctx, c, a, scheduler, r, release.Failed, firstLine(cause))
	}
	if err != nil {
		return errors.Join(cause, err, fmt.Errorf("cannot go back to the old version of %s for sure: mend what is said above, then run: dokku recover %s", a.Name, a.Name))
	}
	return cause
}

// settle does what follows from a release that is in service: its image gets its names, containers theirs, and the old
// ones their end. What fails is said, and the next deploy or recovery does it; only a watch that the caller waits for
// can fail.
func settle(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App, scheduler string, r *release.Release) error {
	warn := func(err error) {
		if err != nil {
			c.Warn("%s is live, but not all is in order: %v; mend it, then run: dokku recover %s", a.Name, err, a.Name)
		}
	}
	warn(a.SetState(app.StoppedFile, ""))
	if a.Unserved() { // the proxy has just followed
		warn(Followed(ctx, c, a))
	}
	warn(nameImages(ctx, engine, a, r))
	failpoint.Hit(failpoint.DeployPromoted)
	if r.Cause != "push" { // git itself moves the branch of a push
		warn(settleRef(ctx, c, a, r))
	}
	tell(c, release.Event{App: a.Name, Release: r.Number, What: "deployed", Text: r.Cause, By: r.By.Name})
	err := c.Trigger(ctx, "scheduler-settle", scheduler, a.Name, strconv.Itoa(r.Number))
	failpoint.Hit(failpoint.DeployEnded)
	if now, readErr := release.Read(a, r.Number); err != nil && readErr == nil && now.Outcome == release.Deployed {
		warn(err) // it serves
		return nil
	}
	return err
}

// nameImages gives the image of a release that is in service its names: its own, and the app's latest.
func nameImages(ctx context.Context, engine *dockerapi.Engine, a app.App, r *release.Release) error {
	for _, tag := range []string{r.Name(), LatestTag} {
		if err := engine.Tag(ctx, r.Image, a.Image(tag)); err != nil {
			return err
		}
	}
	return engine.RemoveImage(ctx, a.Image(BuildTag))
}

// MakeLatest makes the built image the app's latest, which the next deploy or restart puts in service.
func MakeLatest(ctx context.Context, c *plug.C, a app.App) error {
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

// settleRef has git's branch say what is in service.
func settleRef(ctx context.Context, c *plug.C, a app.App, r *release.Release) error {
	if r.Revision == "" || r.Branch == "" {
		return nil
	}
	return c.Trigger(ctx, "git-settle", a.Name, r.Revision, r.Branch)
}

// tell keeps an event. That it cannot be kept does not undo what has happened.
func tell(c *plug.C, e release.Event) {
	if e.By == "" {
		e.By = c.Getenv("SSH_NAME")
	}
	if err := release.Tell(c.Settings(), e); err != nil {
		c.Warn("%v", err)
	}
}

func since(name string, began time.Time) release.Phase {
	return release.Phase{Name: name, Seconds: time.Since(began).Round(time.Millisecond).Seconds()}
}

// firstLine is the reason of an error for a record.
func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}
