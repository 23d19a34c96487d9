package releases

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

func events(ctx context.Context, c *plug.C) error {
	req, err := parse(c, 1)
	if err != nil {
		return err
	}
	if req.follow && req.json {
		return c.Usage("cannot follow events as json: leave out -t or --format")
	}
	all, err := release.Events(c.Settings(), c.Arg(0), req.num) // of an app that is gone, too
	if err != nil {
		return err
	}
	if req.json {
		if all == nil {
			all = []release.Event{}
		}
		return printJSON(c.Stdout, all)
	}
	if !release.KeepsEvents(c.Settings()) {
		c.Warn("Events are not kept: dokku events:on")
	}
	var last release.Event
	for {
		for _, e := range all[after(all, last):] {
			if err := printEvent(c, e); err != nil {
				return err
			}
		}
		if len(all) > 0 {
			last = all[len(all)-1]
		}
		if !req.follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
		if all, err = release.Events(c.Settings(), c.Arg(0), req.num); err != nil {
			return err
		}
	}
}

// after is where in all the events begin that came after last. Not by their times: a clock may have been set.
func after(all []release.Event, last release.Event) int {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i] == last {
			return i + 1
		}
	}
	return 0
}

func printEvent(c *plug.C, e release.Event) error {
	name := ""
	if e.Release != 0 {
		name = release.Name(e.Release)
	}
	line := strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s", e.At.Local().Format(time.DateTime), e.App, name, e.What, oneLine(e.Text))), " ")
	if e.By != "" {
		line += " by " + e.By
	}
	_, err := fmt.Fprintln(c.Stdout, line)
	return err
}

func eventKinds(_ context.Context, c *plug.C) error {
	if len(c.Args) > 0 {
		return c.Usage("cannot use %q: too many words", c.Args[0])
	}
	c.Info2Quiet("Events currently told")
	for _, kind := range release.Kinds() {
		fmt.Fprintln(c.Stdout, kind)
	}
	return nil
}

func keepEvents(on bool) plug.Hook {
	return func(_ context.Context, c *plug.C) error {
		if len(c.Args) > 0 {
			return c.Usage("cannot use %q: too many words", c.Args[0])
		}
		if err := release.KeepEvents(c.Settings(), on); err != nil {
			return err
		}
		if on {
			c.Info1("Enabling dokku events logger")
		} else {
			c.Info1("Disabling dokku events logger")
		}
		return nil
	}
}
