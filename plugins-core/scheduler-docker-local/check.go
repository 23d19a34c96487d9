package schedulerdockerlocal

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// checkDeploy is the default check, APP CONTAINER TYPE PORT IP: a process with a port must accept connections on it; one
// without must stay up for a while. It ends at once when the container does.
func checkDeploy(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	k := &check{c: c, engine: engine, name: a.Name + "'s " + c.Arg(2), id: c.Arg(1), port: c.Arg(3), ip: c.Arg(4)}
	img, err := imageOf(ctx, engine, k.id)
	if err != nil {
		return err
	}
	// An image that says nothing of a port may be of a program that has none.
	k.optional = img.Builder == "dockerfile" && len(img.Ports) == 0
	if k.port == "0" {
		k.port = ""
	}
	if err := k.run(ctx); err != nil {
		k.showOutput(context.WithoutCancel(ctx))
		return err
	}
	return nil
}

func imageOf(ctx context.Context, engine *dockerapi.Engine, id string) (*dockerapi.Image, error) {
	got, err := engine.Inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	return engine.Image(ctx, got.Image)
}

type check struct {
	c              *plug.C
	engine         *dockerapi.Engine
	name, id       string
	port, ip       string
	optional       bool
	timeout, stays time.Duration
}

func (k *check) run(ctx context.Context) error {
	var err error
	if k.timeout, err = k.c.Settings().Seconds(settings.ChecksTimeout, 30); err != nil {
		return err
	}
	if k.stays, err = k.c.Settings().Seconds(settings.DefaultCheckWait, 10); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		status, err := k.engine.Wait(ctx, k.id)
		if err == nil {
			err = fmt.Errorf("cannot deploy: %s process ended with status %d%s", k.name, status, k.reason(ctx))
		}
		ended <- err
	}()
	limit := time.NewTimer(k.limit())
	defer limit.Stop()
	listening := k.listening(ctx)
	select {
	case err := <-ended:
		return err
	case <-listening:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-limit.C:
	}
	if k.port == "" || k.optional {
		return nil
	}
	return fmt.Errorf("cannot deploy: %s process did not accept connections on port %s within %s; it has to listen on $PORT, on all interfaces",
		k.name, k.port, k.timeout)
}

func (k *check) limit() time.Duration {
	if k.port == "" || k.optional {
		return k.stays
	}
	return k.timeout
}

// listening is closed when the port accepts connections. The container's own address is asked: at the published port
// the engine's proxy answers for an app that does not listen.
func (k *check) listening(ctx context.Context) <-chan struct{} {
	open := make(chan struct{})
	if k.port == "" || k.ip == "" {
		return open
	}
	go func() {
		pause := 5 * time.Millisecond
		for ctx.Err() == nil {
			d := net.Dialer{Timeout: time.Second}
			if conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(k.ip, k.port)); err == nil {
				_ = conn.Close()
				close(open)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(pause):
				pause = min(pause*3/2, 100*time.Millisecond)
			}
		}
	}()
	return open
}

func (k *check) reason(ctx context.Context) string {
	got, err := k.engine.Inspect(ctx, k.id)
	switch {
	case err != nil:
		return ""
	case got.OOMKilled:
		return " (out of memory)"
	case got.Error != "":
		return " (" + got.Error + ")"
	}
	return ""
}

// showOutput prints the container's last lines, which are most often the reason.
func (k *check) showOutput(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	k.c.Info2("%s container output:", k.name)
	if err := k.engine.Logs(ctx, k.id, 30, false, k.c.Stdout, k.c.Stdout); err != nil {
		k.c.Warn("%v", err)
	}
	k.c.Info2("end %s container output", k.name)
}
