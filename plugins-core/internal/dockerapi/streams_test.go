package dockerapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/pkg/stdcopy"
)

// TestCarryCancelled cancels the wait for a command that then has something to say, and one that says nothing.
func TestCarryCancelled(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"stopping\n", ""} {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		cause := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		go func() {
			if words != "" {
				_, _ = stdcopy.NewStdWriter(theirs, stdcopy.Stdout).Write([]byte(words))
			}
		}()
		var out bytes.Buffer
		began := time.Now()
		err := carry(ctx, types.HijackedResponse{Conn: ours, Reader: bufio.NewReader(ours)}, Streams{Stdout: &out, Stderr: &out}, false)
		if !errors.Is(err, cause) || out.String() != words || time.Since(began) > 10*time.Second {
			t.Errorf("got %q, %v after %s, want %q, %v", out.String(), err, time.Since(began), words, cause)
		}
	}
}
