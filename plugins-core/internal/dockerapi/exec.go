package dockerapi

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Exec runs a command beside the process of a running container and returns its status and what it printed, of which
// it keeps the last limit bytes. When ctx ends, so does the wait: the engine has no way to end the command itself, which
// ends with the container at the latest.
func (e *Engine) Exec(ctx context.Context, id string, cmd []string, limit int) (status int, output string, err error) {
	what := "run a command in container " + short(id)
	var made container.ExecCreateResponse
	var conn types.HijackedResponse
	if cmd, err = e.inside(ctx, id, cmd); err == nil {
		made, err = e.cli.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: cmd, AttachStdout: true, AttachStderr: true})
	}
	if err == nil {
		conn, err = e.cli.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return 0, "", context.Cause(ctx)
	case err != nil:
		return 0, "", explain(what, err)
	}
	defer conn.Close()
	tail := &tail{limit: limit}
	done := make(chan error, 1)
	go func() {
		_, err := stdcopy.StdCopy(tail, tail, conn.Reader)
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		conn.Close()
		<-done // so that nobody writes to the output any more
		return 0, tail.String(), context.Cause(ctx)
	}
	if err != nil {
		return 0, tail.String(), explain("read the output of a command in container "+short(id), err)
	}
	got, err := e.cli.ContainerExecInspect(ctx, made.ID)
	if err != nil {
		return 0, tail.String(), explain(what, err)
	}
	if got.Running {
		return 0, tail.String(), fmt.Errorf("cannot %s: it closed its output and goes on", what)
	}
	return got.ExitCode, tail.String(), nil
}

// tail keeps the last bytes that are written to it.
type tail struct {
	limit int
	buf   bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > t.limit {
		p = p[len(p)-t.limit:]
	}
	t.buf.Next(max(0, t.buf.Len()+len(p)-t.limit))
	t.buf.Write(p)
	return n, nil
}

func (t *tail) String() string { return t.buf.String() }

// CopyFrom returns a regular file of a container, of at most limit bytes; [IsNotFound] tells that there is none. What
// is no regular file is not followed or opened, so a link in the container leads nowhere.
func (e *Engine) CopyFrom(ctx context.Context, id, path string, limit int64) ([]byte, error) {
	what := fmt.Sprintf("read %s of container %s", path, short(id))
	r, stat, err := e.cli.CopyFromContainer(ctx, id, path)
	if err != nil && strings.HasSuffix(err.Error(), "not a directory") {
		return nil, explain(what, errdefs.ErrNotFound) // a program may have the name of the directory, and the engine fails
	}
	if err != nil {
		return nil, explain(what, err)
	}
	defer r.Close()
	tr := tar.NewReader(r)
	header, err := tr.Next()
	switch {
	case err != nil:
		return nil, explain(what, err)
	case !stat.Mode.IsRegular() || header.Typeflag != tar.TypeReg:
		return nil, fmt.Errorf("cannot %s: it is no regular file", what)
	case header.Size > limit:
		return nil, fmt.Errorf("cannot %s: it has more than %d bytes", what, limit)
	}
	data, err := io.ReadAll(io.LimitReader(tr, limit))
	if err != nil {
		return nil, explain(what, err)
	}
	return data, nil
}
