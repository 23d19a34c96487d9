package apps

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/queue"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// lock keeps everybody from making new releases of the app; what is said with it is shown to them.
func lock(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	who := c.Entry(queue.Entry{})
	l := deploy.Locked{Who: who.Who, Since: time.Now(), Message: strings.Join(c.Args[1:], " ")}
	if err := deploy.LockByHand(a, l); err != nil {
		return err
	}
	c.Info1("Deploy lock created")
	return nil
}

func unlock(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) > 1 {
		return c.Usage("cannot use %q: too many words", c.Args[1])
	}
	if err := deploy.UnlockByHand(a); err != nil {
		return err
	}
	c.Info1("Deploy lock removed")
	return nil
}

// locked tells by its status whether the app is locked.
func locked(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) > 1 {
		return c.Usage("cannot use %q: too many words", c.Args[1])
	}
	l := deploy.LockedBy(a)
	if l == nil {
		//lint:ignore ST1005 scripts know this text
		return errors.New("Deploy lock does not exist")
	}
	c.Info1("Deploy lock exists")
	c.Verbose("%s", l)
	return nil
}
