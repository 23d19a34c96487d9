package builderdockerfile

import (
	"context"
	"io"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// prune keeps the cache of builds within its budget: when an app's old version has ended, and at a cleanup. The engine
// has one cache for all builds, so whose the app is does not matter.
func prune(ctx context.Context, c *plug.C) error {
	budget, err := c.Settings().Int(settings.BuildCache, 5000)
	if err != nil || budget == 0 {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	freed, err := engine.PruneBuildCache(ctx, int64(budget)*1e6)
	if freed > 0 {
		c.Info1("Removed %.1f MB of the cache of builds", float64(freed)/1e6)
	}
	return err
}

// pruneAfterFailure does the same after a build that failed, for which nothing else does. That it does not work is no
// news to whoever has pushed.
func pruneAfterFailure(ctx context.Context, c *plug.C) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = prune(ctx, c.WithOutput(io.Discard, io.Discard))
}
