package pluginhook

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// holdTime is how long a pipe is read after the hook has ended, when somebody else still has it open.
const holdTime = 2 * time.Second

// plumbing connects a process with readers and writers that are not files.
type plumbing struct {
	files   [3]*os.File // what the process gets
	ours    []*os.File  // files among them that are to be closed once it has them
	feed    *feed
	drains  []*drain
	devNull *os.File
}

// connect fills p.files from the call.
func (p *plumbing) connect(c *Call) (err error) {
	if p.files[0], err = p.input(c.Stdin); err != nil {
		return err
	}
	if p.files[1], err = p.output(c.Stdout); err != nil {
		return err
	}
	if same(c.Stdout, c.Stderr) {
		p.files[2] = p.files[1] // one pipe: the writer is no more called by two goroutines than the caller would
		return nil
	}
	p.files[2], err = p.output(c.Stderr)
	return err
}

// same compares as far as the writers' types can be compared.
func same(a, b io.Writer) (eq bool) {
	defer func() { recover() }()
	return a != nil && a == b
}

func (p *plumbing) null() (*os.File, error) {
	if p.devNull == nil {
		f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		p.devNull = f
		p.ours = append(p.ours, f)
	}
	return p.devNull, nil
}

func (p *plumbing) input(r io.Reader) (*os.File, error) {
	if f, ok := r.(*os.File); ok && f != nil {
		return f, nil
	} else if r == nil || ok {
		return p.null()
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.ours = append(p.ours, pr)
	p.feed = &feed{w: pw, r: r, done: make(chan struct{})}
	return pr, nil
}

func (p *plumbing) output(w io.Writer) (*os.File, error) {
	if f, ok := w.(*os.File); ok && f != nil {
		return f, nil
	} else if w == nil || ok {
		return p.null()
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.ours = append(p.ours, pw)
	p.drains = append(p.drains, &drain{r: pr, w: w, done: make(chan error, 1)})
	return pw, nil
}

// closeChildEnds is called once the process runs; copying begins.
func (p *plumbing) closeChildEnds() {
	for _, f := range p.ours {
		f.Close()
	}
	if p.feed != nil {
		go p.feed.run()
	}
	for _, d := range p.drains {
		go d.run()
	}
}

// abandon is called when the process could not be started.
func (p *plumbing) abandon() {
	for _, f := range p.ours {
		f.Close()
	}
	if p.feed != nil {
		p.feed.w.Close()
	}
	for _, d := range p.drains {
		d.r.Close()
	}
}

// finish is called when the process has ended; held tells that somebody else has a pipe open.
func (p *plumbing) finish() (held bool, err error) {
	if p.feed != nil {
		p.feed.finish()
	}
	if len(p.drains) == 0 {
		return false, nil
	}
	timer := time.NewTimer(holdTime)
	defer timer.Stop()
	for _, d := range p.drains {
		h, e := d.finish(timer.C)
		held = held || h
		err = errors.Join(err, e)
		if h {
			timer.Reset(0)
		}
	}
	return held, err
}

// feed copies a reader into the process.
type feed struct {
	w    *os.File
	r    io.Reader
	done chan struct{}
}

func (f *feed) run() {
	defer close(f.done)
	io.Copy(f.w, f.r) // a process that does not read to the end is fine
	f.w.Close()
}

// finish ends the copying. If it hangs in the caller's reader it is left there: only the reader can end that, and the
// next result of a Read is thrown away.
func (f *feed) finish() {
	f.w.Close()
	select {
	case <-f.done:
	case <-time.After(10 * time.Millisecond):
	}
}

// drain copies the output of the process to a writer.
type drain struct {
	r    *os.File
	w    io.Writer
	done chan error
}

func (d *drain) run() {
	_, err := io.Copy(struct{ io.Writer }{d.w}, d.r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = d.rest()
	}
	d.r.Close() // if the writer failed, the process has to learn of it
	d.done <- err
}

// rest copies what is in the pipe now.
func (d *drain) rest() error {
	conn, err := d.r.SyscallConn()
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for range 16 { // a pipe holds at most a mebibyte, unless somebody fills it as fast as we read
		n := 0
		d.r.SetReadDeadline(time.Time{})
		if err := conn.Read(func(fd uintptr) bool { n, _ = syscall.Read(int(fd), buf); return true }); err != nil || n <= 0 {
			return nil
		}
		if _, err := d.w.Write(buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

func (d *drain) finish(timeout <-chan time.Time) (held bool, err error) {
	select {
	case err = <-d.done:
	case <-timeout:
		held = true
		d.r.SetReadDeadline(time.Now())
		err = <-d.done
	}
	if err != nil {
		err = fmt.Errorf("cannot pass on its output: %w", err)
	}
	return held, err
}

// warn prints a line on stderr about something that is not an error.
func warn(stderr io.Writer, format string, args ...any) {
	if stderr == nil {
		return
	}
	printMu.Lock()
	defer printMu.Unlock()
	fmt.Fprintf(stderr, "pluginhook: "+format+"\n", args...)
}
