package schedulerdockerlocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/hostports"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// runCommand runs a command in a new container of the app's image, with a terminal if there is one, and removes it.
func runCommand(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	if len(c.Args) < 3 {
		return c.Usage("cannot run nothing in %q: give a command", a.Name)
	}
	image, err := engine.Image(ctx, a.Image(deploy.LatestTag))
	if err != nil {
		return err
	}
	vars, err := a.MergedEnv()
	if err != nil {
		return err
	}
	args, err := dockerArgs(ctx, c, a, "docker-args-run", deploy.LatestTag, "run")
	if err != nil {
		return err
	}
	if err := hostports.RefuseTaken(ctx, engine, a, "run a command in", args); err != nil {
		return err
	}
	words := c.Args[2:]
	tty := hasTerminal(c)
	spec := dockerapi.Spec{App: a.Name, Kind: kindRun, Image: image.ID, Env: vars.List(), TTY: tty, OpenStdin: c.Stdin != nil,
		Cmd: words, Labels: map[string]string{dockerapi.LabelProcess: "run"}}
	line := image.Inside(words)
	if image.Builder == "herokuish" {
		spec.Entrypoint, spec.Cmd = []string{}, line
	} else {
		spec.Entrypoint, spec.Cmd, spec.Init = line[:1], line[1:], dockerapi.HasInit(c.Env)
	}
	if t := c.Getenv("TERM"); tty && t != "" {
		spec.Env = append(spec.Env, "TERM="+t)
	}
	id, err := engine.CreateWithOptions(ctx, spec, args, c.Env)
	if err != nil {
		return err
	}
	status, err := attach(ctx, c, engine, id, tty)
	err = errors.Join(err, engine.Remove(context.WithoutCancel(ctx), id))
	if err == nil && status != 0 {
		err = &pluginhook.ExitError{Path: c.Path, Code: status}
	}
	return err
}

func hasTerminal(c *plug.C) bool {
	if c.Settings().On("DOKKU_DISABLE_TTY") {
		return false
	}
	in, ok := c.Stdin.(*os.File)
	out, ok2 := c.Stdout.(*os.File)
	return ok && ok2 && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}

// attach runs the container with our streams; a terminal is handed over raw, and its size follows ours.
func attach(ctx context.Context, c *plug.C, engine *dockerapi.Engine, id string, tty bool) (int, error) {
	streams := dockerapi.Streams{Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr}
	if !tty {
		return engine.RunAttached(ctx, id, streams, false, nil)
	}
	fd := int(c.Stdin.(*os.File).Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return 0, fmt.Errorf("cannot use the terminal: %w", err)
	}
	defer func() { _ = term.Restore(fd, state) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	return engine.RunAttached(ctx, id, streams, true, func() { go followSizeBy(ctx, fd, func(w, h int) error { return engine.Resize(ctx, id, w, h) }) })
}

// followSizeBy tells a terminal in a container the size of ours.
func followSizeBy(ctx context.Context, fd int, set func(width, height int) error) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	defer signal.Stop(changed)
	for {
		if w, h, err := term.GetSize(fd); err == nil {
			_ = set(w, h) // a wrong size is ugly, not wrong
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// showLogs prints the output of the app's containers: SCHEDULER APP PROCESS TAIL PRETTY NUM.
func showLogs(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	list, err := runningProcesses(a)
	if err != nil {
		return err
	}
	if want := c.Arg(2); want != "" {
		list = slices.DeleteFunc(list, func(p *process) bool { return p.kind != want && p.dyno() != want })
		if len(list) == 0 {
			return fmt.Errorf("cannot show the logs of %q: %s has no such process", want, a.Name)
		}
	}
	lines, err := strconv.Atoi(c.Arg(5))
	if err != nil {
		lines = 100
	}
	follow := c.Arg(3) == "true"
	if !follow || len(list) == 1 {
		for _, p := range list {
			if err := engine.Logs(ctx, p.container, lines, follow, c.Stdout, c.Stderr); err != nil {
				return err
			}
		}
		return nil
	}
	return parallel(list, func(p *process) error { return engine.Logs(ctx, p.container, lines, true, c.Stdout, c.Stderr) })
}

// showStatus prints a line for each process.
func showStatus(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	list, err := runningProcesses(a)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		c.Info2("%s is not deployed", a.Name)
		return nil
	}
	c.Info2("%s processes", a.Name)
	t := tabwriter.NewWriter(c.Stdout, 0, 4, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "PROCESS\tSTATE\tRESTARTS\tSINCE\tPORT\tCONTAINER")
	for _, p := range list {
		got, err := engine.Inspect(ctx, p.container)
		if dockerapi.IsNotFound(err) {
			fmt.Fprintf(t, "%s\tmissing\t\t\t\t%.12s\n", p.dyno(), p.container)
			continue
		}
		if err != nil {
			return err
		}
		state := got.Status
		if !got.Running && got.ExitCode != 0 {
			state += fmt.Sprintf(" (%d)", got.ExitCode)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%.12s\n", p.dyno(), state, got.Restarts,
			got.Started.Local().Format(time.DateTime), number(got.HostPort), p.container)
	}
	return nil
}
