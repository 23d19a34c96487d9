package deploy

import (
	"context"
	"fmt"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Rollback puts release n of the app in service again, 0: the one before; code, variables, process counts, host names
// and options, as a new release that is checked like any other. The caller holds the app's lock.
func Rollback(ctx context.Context, c *plug.C, a app.App, n int) error {
	list, err := release.List(a)
	if err != nil {
		return err
	}
	to, err := release.Target(list, release.Kept(list, release.Retain(c.Settings(), a.Name)), n, a.Name)
	if err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	image, err := engine.ImageID(ctx, a.Image(to.Name()))
	if err != nil {
		return err
	}
	if image == "" { // somebody removed the name; the image may be there
		if err := engine.Tag(ctx, to.Image, a.Image(to.Name())); err == nil {
			image = to.Image
		} else if !dockerapi.IsNotFound(err) {
			return err
		}
	}
	if image != to.Image {
		return fmt.Errorf("cannot roll %q back to %s: its image %s is gone; choose another release: dokku releases %s", a.Name, to.Name(), a.Image(to.Name()), a.Name)
	}
	c.Info1("Rolling %s back to %s ...", a.Name, to.Name())
	return Start(ctx, c, a, Source{Tag: to.Name(), Cause: "rollback", Revision: to.Revision, repeats: to})
}
