package dockerapi

import (
	"context"
	"io"

	"github.com/docker/docker/api/types/container"
)

// RunAttached starts a created container with its streams attached from the first byte, waits for its end and returns
// its status. Attaching comes before the start: an engine refuses to attach to a container that has ended. tty says
// that the container was made with one. started, if given, is called once the container runs.
func (e *Engine) RunAttached(ctx context.Context, id string, s Streams, tty bool, started func()) (int, error) {
	conn, err := e.cli.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdin: s.Stdin != nil, Stdout: true, Stderr: true})
	if err != nil {
		return 0, explain("attach to container "+short(id), err)
	}
	defer conn.Close()
	// Asked before the start, so that a container that ends at once, or removes itself, is not missed.
	done, fail := e.cli.ContainerWait(ctx, id, container.WaitConditionNextExit)
	if err := e.Start(ctx, id); err != nil {
		return 0, err
	}
	if started != nil {
		started()
	}
	if err := carry(ctx, conn, s, tty); err != nil {
		if ctx.Err() != nil {
			return 0, err
		}
		return 0, explain("read the output of container "+short(id), err)
	}
	select {
	case r := <-done:
		return int(r.StatusCode), nil
	case err := <-fail:
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return 0, explain("wait for container "+short(id), err)
	}
}

// Resize tells a container's terminal its size.
func (e *Engine) Resize(ctx context.Context, id string, width, height int) error {
	return e.cli.ContainerResize(ctx, id, container.ResizeOptions{Width: uint(width), Height: uint(height)})
}

// Feed starts a created container, calls started, and gives it stdin to its end, without waiting for more.
func (e *Engine) Feed(ctx context.Context, id string, stdin io.Reader, started func()) error {
	conn, err := e.cli.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdin: true})
	if err != nil {
		return explain("attach to container "+short(id), err)
	}
	defer conn.Close()
	if err := e.Start(ctx, id); err != nil {
		return err
	}
	started()
	_, _ = io.Copy(conn.Conn, stdin) // a process that reads no more is not a fault
	_ = conn.CloseWrite()
	return nil
}
