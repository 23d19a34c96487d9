package dockerapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

// EmptyCache deletes what builds left in the app's cache directory. The files belong to users of containers, so it
// takes a container, made from the stack image, to delete them; where our own rights do, none is started.
func (e *Engine) EmptyCache(ctx context.Context, a app.App, stack string) error {
	dir := a.Path("cache")
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	id, err := e.Create(ctx, Spec{App: a.Name, Kind: "cache", Image: stack, User: "0",
		Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{"find /cache -mindepth 1 -delete"},
		Binds: []Bind{{Source: dir, Target: "/cache"}}})
	if err != nil {
		return fmt.Errorf("cannot empty the cache of %q: %w", a.Name, err)
	}
	status, err := e.RunAttached(ctx, id, Streams{Stdout: io.Discard, Stderr: io.Discard}, false, nil)
	err = errors.Join(err, e.Remove(context.WithoutCancel(ctx), id))
	if err == nil && status != 0 {
		err = fmt.Errorf("find ended with status %d", status)
	}
	if err != nil {
		return fmt.Errorf("cannot empty the cache of %q: %w", a.Name, err)
	}
	return os.RemoveAll(dir)
}
