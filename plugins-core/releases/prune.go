package releases

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// pruneHook removes the images and records of an app that no rollback needs, then images of all apps until they fit the
// budget of the host: [APP].
func pruneHook(ctx context.Context, c *plug.C) error {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	names := c.Args
	if len(names) == 0 {
		if names, err = app.List(c.Settings().Root()); err != nil {
			return err
		}
	}
	var errs []error
	for _, name := range names {
		a, err := app.Find(c.Settings().Root(), name)
		if err == nil {
			err = prune(ctx, c, engine, a)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, keepBudget(ctx, c, engine))...)
}

// prune does it for one app. Its records are read before its images are listed, so that an image which a deploy makes
// meanwhile is not taken for an old one: only names of releases that are on record are removed.
func prune(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	all, err := release.List(a)
	if err != nil {
		return err
	}
	kept := release.Kept(all, release.Retain(c.Settings(), a.Name))
	tags, err := engine.AppImages(ctx, a)
	if err != nil {
		return err
	}
	newest := 0
	if len(all) > 0 {
		newest = all[0].Number
	}
	for _, tag := range tags {
		if tag == a.Image(deploy.BuildTag) || dockerapi.Passing(tag[len(a.Repository())+1:]) {
			// An engine may finish a build after who asked for it was killed.
			if _, idle := a.Idle(); !idle {
				continue
			}
			if err := engine.RemoveImage(ctx, tag); err != nil {
				return err
			}
			continue
		}
		n, err := release.Parse(tag[len(a.Repository())+1:])
		if err != nil || a.Image(release.Name(n)) != tag || n > newest || slices.ContainsFunc(kept, func(r *release.Release) bool { return r.Number == n }) {
			continue
		}
		if err := engine.RemoveImage(ctx, tag); err != nil {
			return err
		}
	}
	return release.PruneRecords(a, all, kept)
}

// keepBudget removes the oldest images of releases that are not current, over all apps, while what our images take
// together is more than DOKKU_IMAGE_BUDGET_MB.
func keepBudget(ctx context.Context, c *plug.C, engine *dockerapi.Engine) error {
	budget, err := c.Settings().Int(settings.ImageBudget, 0)
	if err != nil || budget == 0 {
		return err
	}
	names, err := app.List(c.Settings().Root())
	if err != nil {
		return err
	}
	var old []*release.Release
	for _, name := range names {
		a := app.App{Name: name, Root: c.Settings().Root()}
		all, err := release.List(a)
		if err != nil {
			return err
		}
		kept := release.Kept(all, release.Retain(c.Settings(), name))
		for _, r := range kept {
			if r.Image != kept[0].Image {
				old = append(old, r)
			}
		}
	}
	slices.SortStableFunc(old, func(x, y *release.Release) int { return cmp.Compare(x.Began.UnixNano(), y.Began.UnixNano()) })
	for _, r := range old {
		used, err := engine.ImageBytes(ctx)
		if err != nil || used <= int64(budget)<<20 {
			return err
		}
		a := app.App{Name: r.App, Root: c.Settings().Root()}
		if err := engine.RemoveImage(ctx, a.Image(r.Name())); err != nil {
			return err
		}
		c.Info1("Removed the image of %s %s: the images of apps are to take %d MB at most", r.App, r.Name(), budget)
	}
	return nil
}
