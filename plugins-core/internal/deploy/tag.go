package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// asBuild has the image of a tag deployed under [BuildTag]. Hooks may change what the tag of a deploy names: the tag of a
// release, or one that a user gave, stays what it is.
func asBuild(ctx context.Context, c *plug.C, a app.App, s Source, f func(context.Context, *plug.C, app.App, Source) error) error {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	err = engine.Tag(ctx, a.Image(s.Tag), a.Image(BuildTag))
	if dockerapi.IsNotFound(err) {
		return fmt.Errorf("cannot deploy %q: it has no image %s; push its code first", a.Name, a.Image(s.Tag))
	}
	if err != nil {
		return err
	}
	s.Tag = BuildTag
	if err := f(ctx, c, a, s); err != nil {
		return errors.Join(err, engine.RemoveImage(context.WithoutCancel(ctx), a.Image(BuildTag)))
	}
	return nil
}

// isOwn tells whether a deploy may change what the tag names.
func isOwn(tag string) bool { return tag == LatestTag || tag == BuildTag }
