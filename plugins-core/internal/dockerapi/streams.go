package dockerapi

import (
	"context"
	"io"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/pkg/stdcopy"
)

// Streams are what a container's process reads and writes.
type Streams struct {
	Stdin          io.Reader // nil: none
	Stdout, Stderr io.Writer
}

// lastWords is how long a command that nobody waits for any more may still be heard.
const lastWords = 300 * time.Millisecond

// carry brings what the streams give to the process at the other end of the connection, and back what it prints, until
// that has closed its output. tty says that it has a terminal. When ctx ends it does not wait for the process, but
// passes on what that has printed by then.
func carry(ctx context.Context, conn types.HijackedResponse, s Streams, tty bool) error {
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
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	case <-ctx.Done():
		_ = conn.Conn.SetReadDeadline(time.Now().Add(lastWords))
		select {
		case <-output:
		case <-time.After(2 * lastWords): // nobody reads what we print
		}
		return context.Cause(ctx)
	}
}
