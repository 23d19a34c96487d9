package pluginhook

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Broadcast runs the hooks one after another, each writing straight to stdout. stdin nil: empty.
//
// A stdin is shared: what the first hook reads the second does not see. The first failure ends it, unless KeepGoing
// is set; then all hooks run and the error is that of the one hook that failed, or a [*multierror.Error] with those of
// several, whose status ([errors.As] with an *[ExitError]) is that of the first.
func (r *Runner) Broadcast(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, hook string, args ...string) error {
	hooks, err := Find(r.Path, hook)
	if err != nil {
		return err
	}
	if f, ok := stdin.(*os.File); ok && f == nil {
		stdin = nil
	}
	b := r.batch(stderr, args)
	var failed []error
	for _, h := range hooks {
		if err := b.run(ctx, h, stdin, stdout, nil); err != nil {
			failed = append(failed, err)
			if !r.KeepGoing || ctx.Err() != nil {
				break
			}
		}
	}
	return join(failed)
}

// join makes one error of several, with a line for each.
func join(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return &multierror.Error{Errors: errs, ErrorFormat: func(errs []error) string {
		lines := make([]string, len(errs))
		for i, err := range errs {
			lines[i] = err.Error()
		}
		return strings.Join(lines, "\n")
	}}
}
