package deploy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/internal/workdir"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Statuses with which scheduler-adopt says what keeps the release from serving, when all else is done.
const (
	ContainersMissing = 3 // not all of its containers are there any more
	ContainersDown    = 4 // one that was started does not pass its check, which has said why
)

// takeBack undoes release r: its settings, then records and proxy, which go back to the release before, then its
// containers; at last its record says so. It can be repeated after a crash at any point.
func takeBack(ctx context.Context, c *plug.C, a app.App, scheduler string, r *release.Release, outcome release.Outcome, reason string) error {
	if err := errors.Join(Unreserve(c.Settings(), a), r.Undo(ctx, a)); err != nil {
		return err
	}
	status, err := adopt(ctx, c, a, scheduler, r)
	if err != nil {
		return err
	}
	if status == ContainersMissing {
		c.Warn("Containers of the version before are missing, so %s is down: run dokku recover %s", a.Name, a.Name)
	}
	failpoint.Hit(failpoint.RecoverUndone)
	if err := r.Finish(a, outcome, reason); err != nil {
		return err
	}
	tell(c, release.Event{App: a.Name, Release: r.Number, What: string(outcome), Text: reason})
	return nil
}

// adopt has records and proxy name the containers of the current release, starts those that do not run, and removes
// the containers of drop, if that is not nil. The names of images follow. status is 0, or what keeps the release from
// serving: ContainersMissing, and nothing but its being deployed again brings them back, or ContainersDown.
func adopt(ctx context.Context, c *plug.C, a app.App, scheduler string, drop *release.Release) (status int, err error) {
	current, err := release.Current(a)
	if err != nil {
		return 0, err
	}
	keep, gone := 0, 0
	if current != nil {
		keep = current.Number
	}
	if drop != nil {
		gone = drop.Number
	}
	err = c.Trigger(ctx, "scheduler-adopt", scheduler, a.Name, strconv.Itoa(keep), strconv.Itoa(gone))
	var exit *pluginhook.ExitError
	switch {
	case errors.As(err, &exit) && exit.Code == ContainersMissing:
		return ContainersMissing, nil
	case errors.As(err, &exit) && exit.Code == ContainersDown:
		status = ContainersDown
	case err != nil:
		return 0, err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return status, err
	}
	defer engine.Close()
	if current == nil {
		return status, engine.RemoveImage(ctx, a.Image(BuildTag))
	}
	err = nameImages(ctx, engine, a, current)
	if dockerapi.IsNotFound(err) { // whether a release is over does not hang on a name
		c.Warn("The image of release %s of %s is gone: push again, or the next start brings nothing", current.Name(), a.Name)
		err = nil
	}
	return status, err
}

// Recover makes all that belongs to the app agree with its current release, whatever a crash, a reboot or a hand has
// left: settings, containers, state files, proxy, images, git's branch. What was being deployed is taken back unless
// it was in service. It can be repeated. The caller holds the app's lock.
func Recover(ctx context.Context, c *plug.C, a app.App) error {
	if a.State(app.DestroyingFile) != "" {
		return c.Trigger(ctx, "app-destroy", a.Name)
	}
	if err := recoverRename(ctx, c, a); err != nil {
		return err
	}
	if err := errors.Join(Unreserve(c.Settings(), a), a.SweepCertificate(), sweep(a.Dir(), a.Path("releases"))); err != nil {
		return err
	}
	workdir.Sweep(a.Name)
	if err := SweepQuarantine(a); err != nil {
		return err
	}
	scheduler, err := SchedulerOf(ctx, c, a)
	if err != nil {
		return err
	}
	unfinished, err := release.Unfinished(a)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.RecoverBegun)
	if unfinished == nil && !release.Stopped(a) { // the mark may be of a release before, see [settle]
		if err := a.SetState(app.StoppedFile, ""); err != nil {
			return err
		}
	}
	if unfinished != nil {
		outcome, reason := release.Interrupted, "the process that deployed it ended"
		if unfinished.Outcome == release.Reverting {
			outcome, reason = release.Reverted, unfinished.Reason
		}
		c.Info1("Release %s of %s was not finished: going back", unfinished.Name(), a.Name)
		if err := takeBack(ctx, c, a, scheduler, unfinished, outcome, reason); err != nil {
			return err
		}
	}
	status, err := adopt(ctx, c, a, scheduler, nil)
	if err != nil {
		return err
	}
	if status == ContainersMissing && release.Stopped(a) {
		return nil // ps:start makes new ones
	}
	if status == ContainersMissing {
		c.Info1("A container of %s cannot come back: deploying it again", a.Name)
		if err := latestIsCurrent(ctx, c, a); err != nil {
			return err
		}
		return Start(ctx, c, a, Source{Tag: LatestTag, Cause: "recover"})
	}
	current, err := release.Current(a)
	if err == nil && a.Unserved() {
		err = Followed(ctx, c, a)
	}
	if err == nil && current != nil {
		err = settleRef(ctx, c, a, current)
	}
	if err == nil { // what the watch of a deploy that was killed would have done
		err = c.Trigger(ctx, "core-prune", a.Name)
	}
	if err == nil && status == ContainersDown {
		err = fmt.Errorf("cannot bring %q back: it does not come up, see above and: dokku logs %s; push a version that does, or: dokku rollback %s", a.Name, a.Name, a.Name)
	}
	return err
}

// findLatest gives the app's latest image its name if somebody has removed that: the image of the release in service may
// be there.
func findLatest(ctx context.Context, engine *dockerapi.Engine, a app.App) error {
	id, err := engine.ImageID(ctx, a.Image(LatestTag))
	if err != nil || id != "" {
		return err
	}
	current, err := release.Current(a)
	if err != nil || current == nil {
		return err
	}
	if err := engine.Tag(ctx, current.Image, a.Image(LatestTag)); !dockerapi.IsNotFound(err) {
		return err
	}
	return nil // who needs it says what to do
}

// latestIsCurrent has the app's latest image be that of the release in service, not one that was tried after it.
func latestIsCurrent(ctx context.Context, c *plug.C, a app.App) error {
	current, err := release.Current(a)
	if err != nil || current == nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := engine.Tag(ctx, current.Image, a.Image(LatestTag)); err != nil {
		return fmt.Errorf("cannot bring release %s of %q back: %w; push again", current.Name(), a.Name, err)
	}
	return nil
}

// sweep removes what writers that were killed have left in directories.
func sweep(dirs ...string) error {
	var errs []error
	for _, file := range record.Leftovers(dirs...) {
		errs = append(errs, record.Remove(file))
	}
	return errors.Join(errs...)
}

// SweepData removes what writers that were killed have left beside the apps: in the plugins' data, and in the properties
// of the app of that name, "*": of all, and in the global ones.
func SweepData(s settings.Settings, name string) error {
	var dirs []string
	for _, pattern := range []string{"data/*", "data/*/*", "config/*/" + property.Global, "config/*/" + name} {
		found, _ := filepath.Glob(filepath.Join(s.LibRoot(), pattern)) // a pattern of ours is good, so there is no error
		dirs = append(dirs, found...)
	}
	return sweep(dirs...)
}

// Revert takes the current release n back because of reason: the release before serves again. output is what its
// containers, which are removed, said last. The caller holds the app's lock.
func Revert(ctx context.Context, c *plug.C, a app.App, n int, reason, output string) error {
	r, err := release.Current(a)
	if err != nil {
		return err
	}
	if r == nil || r.Number != n {
		return nil // another one has come
	}
	r.Output = output
	if err := r.Finish(a, release.Reverting, reason); err != nil {
		return err
	}
	if err := Recover(ctx, c, a); err != nil {
		return fmt.Errorf("cannot take release %s of %q back: %w", r.Name(), a.Name, err)
	}
	return nil
}

// RecoverLocked takes the app's lock for a recovery. That an app which was being destroyed is gone then is fine.
func RecoverLocked(ctx context.Context, c *plug.C, a app.App) error {
	err := c.Lock(ctx, a, func(c *plug.C) error { return Recover(ctx, c, a) })
	var gone *app.NotFoundError
	if errors.As(err, &gone) && !a.Exists() {
		return nil
	}
	return err
}

// RecoverAll recovers every app but those of without, which count as failed.
func RecoverAll(ctx context.Context, c *plug.C, without ...string) error {
	names, err := app.List(c.Settings().Root())
	if err != nil {
		return err
	}
	if err := SweepData(c.Settings(), "*"); err != nil {
		c.Warn("%v", err)
	}
	if err := sweepDrafts(ctx, c.Settings().Root()); err != nil {
		c.Warn("%v", err)
	}
	others := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(without, name) })
	failed, err := Each(ctx, c, others, recoverAndTell)
	if err != nil {
		return err
	}
	if failed = append(failed, without...); len(failed) > 0 {
		slices.Sort(failed)
		return fmt.Errorf("cannot recover %d of %d apps: %s; see above, mend it, and run: dokku recover", len(failed), len(names), strings.Join(failed, ", "))
	}
	return nil
}

func recoverAndTell(ctx context.Context, c *plug.C, a app.App) error {
	if !begun(a) {
		return nil
	}
	if err := RecoverLocked(ctx, c, a); err != nil {
		return err
	}
	switch {
	case !a.Exists():
		c.Info1("%s is destroyed", a.Name)
	case release.Stopped(a):
		c.Info1("%s stays stopped", a.Name)
	default:
		c.Info1("%s is up", a.Name)
	}
	return nil
}

// begun tells whether anything was ever done to put the app in service.
func begun(a app.App) bool {
	if Deployed(a) || a.State(app.DestroyingFile) != "" || a.State(app.RenamingFile) != "" {
		return true
	}
	unfinished, err := release.Unfinished(a)
	return err != nil || unfinished != nil
}
