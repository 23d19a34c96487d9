package deploy

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Each does f to the apps of these names, a few at the same time. One that is broken, or slow, keeps no other from its
// turn; what each has to say is printed when it is done. The names of those that failed are returned.
func Each(ctx context.Context, c *plug.C, names []string, f func(context.Context, *plug.C, app.App) error) (failed []string, err error) {
	jobs, err := c.Settings().Int(settings.RestoreJobs, 4)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(max(1, jobs))
	for _, name := range names {
		group.Go(func() error {
			var out bytes.Buffer
			err := f(ctx, c.WithOutput(&out, &out), app.App{Name: name, Root: c.Settings().Root()})
			mu.Lock()
			defer mu.Unlock()
			_, _ = c.Stdout.Write(out.Bytes()) // who does not listen is served all the same
			if err != nil {
				_ = plug.Report(c.Stderr, "", err)
				failed = append(failed, name)
			}
			return nil
		})
	}
	_ = group.Wait() // nothing in there ends with an error
	slices.Sort(failed)
	return failed, nil
}
