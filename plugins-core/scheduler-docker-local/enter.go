package schedulerdockerlocal

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// enter runs a command in a container that serves, with a terminal if there is one: SCHEDULER APP PROCESS WORD...
// PROCESS is a type or one process of it; "" is the first web process, or what there is.
func enter(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	list, err := runningProcesses(a)
	if err != nil {
		return err
	}
	p := first(list)
	if want := c.Arg(2); want != "" {
		p = nil
		for _, other := range list {
			if p == nil && (other.kind == want || other.dyno() == want) {
				p = other
			}
		}
		if p == nil {
			return fmt.Errorf("cannot enter %q: %s has no such process", want, a.Name)
		}
	}
	if p == nil {
		return fmt.Errorf("cannot enter %q: it does not run", a.Name)
	}
	words := c.Args[min(3, len(c.Args)):]
	if len(words) == 0 {
		words = []string{"/bin/bash"}
	}
	image, err := engine.Image(ctx, a.Image(deploy.LatestTag))
	if err == nil {
		words = image.Inside(words)
	}
	var env []string
	streams := dockerapi.Streams{Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr}
	var resize func(func(int, int) error)
	tty := hasTerminal(c)
	if tty {
		if t := c.Getenv("TERM"); t != "" {
			env = append(env, "TERM="+t)
		}
		fd := int(c.Stdin.(*os.File).Fd())
		state, err := term.MakeRaw(fd)
		if err != nil {
			return fmt.Errorf("cannot use the terminal: %w", err)
		}
		defer func() { _ = term.Restore(fd, state) }()
		inner, stop := context.WithCancel(ctx)
		defer stop()
		resize = func(set func(int, int) error) { go followSizeBy(inner, fd, set) }
	}
	status, err := engine.Enter(ctx, p.container, words, env, streams, tty, resize)
	if err == nil && status != 0 {
		err = &pluginhook.ExitError{Path: c.Path, Code: status}
	}
	return errors.Join(err)
}
