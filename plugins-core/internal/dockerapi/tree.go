package dockerapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// RemoveTree deletes a directory of an app with all that is in it. Builds leave files of the users of their
// containers in it, and admins files of root: where our own rights do not go far enough, a container made from image
// deletes them.
func (e *Engine) RemoveTree(ctx context.Context, app, dir, image string) error {
	err := os.RemoveAll(dir)
	if err == nil || !errors.Is(err, os.ErrPermission) {
		return err
	}
	if id, imageErr := e.ImageID(ctx, image); imageErr != nil || id == "" {
		return errors.Join(fmt.Errorf("%w; remove it as root", err), imageErr)
	}
	id, err := e.Create(ctx, Spec{App: app, Kind: "cache", Image: image, User: "0",
		Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{"find /tree -mindepth 1 -delete"},
		Binds: []Bind{{Source: dir, Target: "/tree"}}})
	if err != nil {
		return err
	}
	status, err := e.RunAttached(ctx, id, Streams{Stdout: io.Discard, Stderr: io.Discard}, false, nil)
	err = errors.Join(err, e.Remove(context.WithoutCancel(ctx), id))
	if err == nil && status != 0 {
		err = fmt.Errorf("find ended with status %d", status)
	}
	return errors.Join(err, os.RemoveAll(dir))
}
