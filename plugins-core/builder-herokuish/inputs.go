package builderherokuish

import (
	"context"
	"path/filepath"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// inputs prints what a build depends on beside its tree: BUILDER APP DIR. The stack has the buildpacks of core in it; one
// that is fetched from elsewhere is known by its name only.
func inputs(ctx context.Context, c *plug.C) error {
	if c.Arg(0) != builder {
		return nil
	}
	a, err := c.App(1)
	if err != nil {
		return err
	}
	stack, err := stackimage.Of(ctx, c, a.Name)
	if err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	id, err := engine.ImageID(ctx, stack)
	if err != nil || id == "" { // the build says so
		return err
	}
	vars, err := a.MergedEnv()
	if err != nil {
		return err
	}
	build, err := envfile.Read(filepath.Join(a.Root, buildEnv)) // the build moves them to the others
	if err != nil {
		return err
	}
	own, err := property.All(c.Settings(), "buildpacks", a.Name)
	if err != nil {
		return err
	}
	global, err := property.All(c.Settings(), "buildpacks", property.Global)
	if err != nil {
		return err
	}
	deploy.Inputs(c, []string{id}, vars, build, deploy.HostVariables(c), own, global)
	return nil
}
