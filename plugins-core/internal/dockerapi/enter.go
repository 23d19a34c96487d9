package dockerapi

import (
	"context"

	"github.com/docker/docker/api/types/container"
)

// Enter runs a command in a running container with our streams and returns its status. tty gives it a terminal; resize,
// if given, is called once it runs, with what tells that terminal its size.
func (e *Engine) Enter(ctx context.Context, id string, cmd, env []string, s Streams, tty bool, resize func(func(width, height int) error)) (int, error) {
	what := "run a command in container " + short(id)
	cmd, err := e.inside(ctx, id, cmd)
	if err != nil {
		return 0, explain(what, err)
	}
	made, err := e.cli.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: cmd, Env: env, Tty: tty,
		AttachStdin: s.Stdin != nil, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return 0, explain(what, err)
	}
	conn, err := e.cli.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{Tty: tty})
	if err != nil {
		return 0, explain(what, err)
	}
	defer conn.Close()
	if resize != nil {
		resize(func(width, height int) error {
			return e.cli.ContainerExecResize(ctx, made.ID, container.ResizeOptions{Width: uint(width), Height: uint(height)})
		})
	}
	if err := carry(ctx, conn, s, tty); err != nil {
		if ctx.Err() != nil {
			return 0, err
		}
		return 0, explain("read the output of a command in container "+short(id), err)
	}
	got, err := e.cli.ContainerExecInspect(ctx, made.ID)
	if err != nil {
		return 0, explain(what, err)
	}
	return got.ExitCode, nil
}
