package dockerapi

import (
	"context"
	"io"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Enter runs a command in a running container with our streams and returns its status. tty gives it a terminal; resize,
// if given, is called once it runs, with what tells that terminal its size.
func (e *Engine) Enter(ctx context.Context, id string, cmd, env []string, s Streams, tty bool, resize func(func(width, height int) error)) (int, error) {
	what := "run a command in container " + short(id)
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
	if s.Stdin != nil {
		go func() {
			_, _ = io.Copy(conn.Conn, s.Stdin) // a process that reads no more is not a fault
			_ = conn.CloseWrite()
		}()
	}
	output := make(chan error, 1)
	go func() {
		var err error
		if tty {
			_, err = io.Copy(s.Stdout, conn.Reader)
		} else {
			_, err = stdcopy.StdCopy(s.Stdout, s.Stderr, conn.Reader)
		}
		output <- err
	}()
	select {
	case err := <-output:
		if err != nil && ctx.Err() == nil {
			return 0, explain("read the output of a command in container "+short(id), err)
		}
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	got, err := e.cli.ContainerExecInspect(ctx, made.ID)
	if err != nil {
		return 0, explain(what, err)
	}
	return got.ExitCode, nil
}
