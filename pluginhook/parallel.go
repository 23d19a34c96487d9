package pluginhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// link is one hook of a parallel pipeline.
type link struct {
	hook  Hook
	in    *os.File // read end of the pipe before it, nil for the first
	out   *os.File // write end of the pipe after it, nil for the last
	pipe  string   // what /proc calls the pipe after it
	pid   atomic.Int64
	close sync.Once
	ended chan struct{}
	err   error
}

// parallel starts all hooks, joined by pipes that they hold themselves, and waits for all of them. The error is that
// of the first hook in order that failed. A hook that died because the next one did not want more is not a failure;
// if the next one failed, that is.
func (b *batch) parallel(ctx context.Context, hooks []Hook, stdin io.Reader, stdout io.Writer) error {
	links, err := makeLinks(hooks)
	if err != nil {
		return err
	}
	p := *b
	if _, ok := b.stderr.(*os.File); !ok && b.stderr != nil {
		locked := &lockedWriter{w: b.stderr}
		if same(b.trace, b.stderr) {
			p.trace = locked
		}
		if same(stdout, b.stderr) {
			stdout = locked
		}
		p.stderr = locked
	}
	for i, l := range links {
		in, out := stdin, stdout
		if l.in != nil {
			in = l.in
		}
		if l.out != nil {
			out = l.out
		}
		go func() {
			l.err = p.run(ctx, l.hook, in, out, func(pid int) { l.pid.Store(int64(pid)); l.release() })
			l.release() // a hook in this process, or one that could not be started
			failed := l.err != nil
			close(l.ended)
			if i+1 < len(links) && !failed {
				p.watch(l, links[i+1])
			}
		}()
	}
	for i, l := range links {
		<-l.ended
		if i+1 < len(links) && brokenPipe(l.err) {
			l.err = nil
		}
	}
	for _, l := range links {
		if l.err != nil {
			return l.err
		}
	}
	return nil
}

func makeLinks(hooks []Hook) ([]*link, error) {
	links := make([]*link, len(hooks))
	for i, h := range hooks {
		links[i] = &link{hook: h, ended: make(chan struct{})}
	}
	for i := range links[1:] {
		r, w, err := os.Pipe()
		if err != nil {
			for _, l := range links {
				l.release()
			}
			return nil, fmt.Errorf("cannot connect hooks: %w", err)
		}
		links[i].out, links[i+1].in = w, r
		// Fewer turns between two hooks than with the usual 64 KiB: a quarter less time for large data. More would
		// soon use up what a user may have in pipes. A refusal does no harm.
		unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 256<<10)
		if info, err := w.Stat(); err == nil {
			links[i].pipe = fmt.Sprintf("pipe:[%d]", info.Sys().(*syscall.Stat_t).Ino)
		}
	}
	return links, nil
}

// release closes our copies of the pipes' ends, so that the hooks see the end of each other.
func (l *link) release() {
	l.close.Do(func() {
		l.in.Close()
		l.out.Close()
	})
}

// watch sees to a hook that has ended well and left a process behind which keeps the pipe open: the next hook would
// wait for its end. Nobody else can close that pipe, so the process is ended.
func (b *batch) watch(l, next *link) {
	select {
	case <-next.ended:
		return
	case <-time.After(holdTime):
	}
	pgid := int(l.pid.Load())
	if pgid == 0 || !holds(pgid, l.pipe) {
		return
	}
	b.warn("hook %q left a process behind that holds its output; ending it", l.hook.Path)
	unix.Kill(-pgid, unix.SIGTERM)
	unix.Kill(-pgid, unix.SIGCONT)
	select {
	case <-next.ended:
	case <-time.After(grace):
		if holds(pgid, l.pipe) {
			unix.Kill(-pgid, unix.SIGKILL)
		}
	}
}

// brokenPipe tells whether a hook failed because nobody reads its output any more.
func brokenPipe(err error) bool {
	var exit *ExitError
	if !errors.As(err, &exit) || errors.Is(err, context.Canceled) {
		return false
	}
	return exit.Code == 128+int(syscall.SIGPIPE) || errors.Is(exit.Err, syscall.EPIPE)
}

// lockedWriter lets several hooks write to one writer.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
