package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// A name that an image is loaded under counts for the whole engine: whoever builds upon that name, now or later, gets the
// loaded one. So an admin says which name an app has for its images, by loading the first. Names that images were deployed
// from otherwise say nothing of that: everybody's python:3 is one of them.

// loadedImage is the property with the name under which an image was loaded for the app. git:load-image alone sets it, and
// a clone of the app does not get it.
const loadedImage = "loaded-image"

// mayName refuses to give an image a name that is not known to be the app's. It returns the image that has the name.
func mayName(ctx context.Context, c *plug.C, engine *dockerapi.Engine, call *imageCall) (before string, err error) {
	switch {
	case call.ref.Pinned:
		return "", fmt.Errorf("cannot load %s: a name with a digest is given by a registry; use one with a tag", call.ref.Name)
	case call.ref.Reserved():
		return "", fmt.Errorf("cannot load %s: names that begin with dokku/ are those of apps; take another one for docker save", call.ref.Name)
	}
	own, err := property.Own(c.Settings(), "git", call.app.Name, loadedImage)
	if err != nil {
		return "", err
	}
	stack := isBase(c, call.ref)
	image, err := engine.Image(ctx, call.ref.Name)
	switch {
	case err == nil:
		before = image.ID
		stack = stack || image.Labels[stackimage.LabelName] == call.ref.Name
	case !dockerapi.IsNotFound(err):
		return "", err
	}
	if own == call.ref.Name && !stack {
		return before, nil
	}
	if err := c.Admin(ctx); err != nil {
		reason := fmt.Sprintf("no image was loaded for %s under that name yet; let an admin load the first one", call.app.Name)
		if stack {
			reason = "apps of this host are built on the image of that name"
		}
		return "", errors.Join(fmt.Errorf("cannot load %s: %s", call.ref.Name, reason), err)
	}
	return before, nil
}

// isBase tells whether the host has apps built on the image of that name: it is a stack or a builder.
func isBase(c *plug.C, ref dockerapi.Ref) bool {
	s := c.Settings()
	names := append(strings.Fields(s.Get(settings.CNBAllowed, "")), s.Get(settings.CNBBuilder, ""), s.StackImage(),
		settings.StackRef(property.Get(s, "buildpacks", property.Global, "stack")))
	return slices.ContainsFunc(names, func(name string) bool {
		base, err := dockerapi.ParseRef(name)
		return err == nil && base == ref
	})
}

// mayUse refuses an image that was loaded for other apps only: it is their code, as an image that was built is.
func mayUse(ctx context.Context, c *plug.C, call *imageCall) error {
	owners, err := property.Holders(c.Settings(), "git", loadedImage, call.ref.Name)
	if err != nil || len(owners) == 0 || slices.Contains(owners, call.app.Name) {
		return err
	}
	if err := c.Admin(ctx); err != nil {
		return errors.Join(fmt.Errorf("cannot deploy %q: %s is an image of the app %s", call.app.Name, call.ref.Name, owners[0]), err)
	}
	return nil
}

// putBack gives the name back to the image that had it before a load that has failed, and removes what came.
func putBack(ctx context.Context, engine *dockerapi.Engine, name, before string) error {
	now, err := engine.ImageID(ctx, name)
	if err != nil || now == before || now == "" {
		return err
	}
	if before == "" {
		return engine.RemoveImage(ctx, name)
	}
	if err := engine.Tag(ctx, before, name); err != nil {
		return err
	}
	return engine.RemoveUnnamed(ctx, now)
}
