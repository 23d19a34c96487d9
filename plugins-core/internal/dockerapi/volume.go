package dockerapi

import (
	"context"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"
)

// Volume is a volume of the engine that is mounted in a container.
type Volume struct{ Name, Target string }

// MakeVolume makes a volume of the app of that name, unless it is there.
func (e *Engine) MakeVolume(ctx context.Context, name, app string) error {
	_, err := e.cli.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: e.Labels(app, "cache")})
	return explain("make volume "+name, err)
}

// RemoveVolume removes a volume. That it is gone is fine.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	err := e.cli.VolumeRemove(ctx, name, true)
	if errdefs.IsNotFound(err) {
		return nil
	}
	return explain("remove volume "+name, err)
}

// Socket is the path of the socket by which the engine is reached; "" when it is reached in another way.
func (e *Engine) Socket() string {
	path, ok := strings.CutPrefix(e.cli.DaemonHost(), "unix://")
	if !ok {
		return ""
	}
	return path
}

// APIVersion is the newest version of its API that both the engine and we know.
func (e *Engine) APIVersion(ctx context.Context) (string, error) {
	if _, err := e.cli.Ping(ctx); err != nil {
		return "", explain("reach the docker engine", err)
	}
	e.cli.NegotiateAPIVersion(ctx)
	return e.cli.ClientVersion(), nil
}

// Relabel gives the image ref of the app of that name labels beside those that it has. No layer is added to it.
func (e *Engine) Relabel(ctx context.Context, ref, app string, labels map[string]string) error {
	id, err := e.Create(ctx, Spec{App: app, Kind: "build", Image: ref})
	if err != nil {
		return err
	}
	_, err = e.Commit(ctx, id, ref, nil, nil, labels)
	if rmErr := e.Remove(context.WithoutCancel(ctx), id); err == nil {
		err = rmErr
	}
	return err
}
