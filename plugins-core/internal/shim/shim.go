// Package shim gives plugins the docker command that they were written for.
//
// A few things that scripts of 2014 rely on have changed since, above all `docker run -i -a stdin`, which printed the
// container's id and returned, and with the command of 28 or newer waits and prints nothing. Hooks of plugins find a
// small script named docker first in their PATH. It hands the changed calls to [Main] and leaves all others to docker.
// Core does not use it.
package shim

import (
	"bytes"
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

//go:embed docker
var dockerScript string

//go:embed plugn
var plugnScript string

// Files returns the scripts of the directory for hooks of that age.
func Files() map[string]string {
	return map[string]string{"docker": dockerScript, "plugn": plugnScript}
}

// call is one call of docker.
type call struct {
	env            []string
	stdin          *os.File
	stdout, stderr io.Writer
	terminal       bool // stdin is one
}

// Main does a call of docker, words, as it was in that age, and returns its status.
func Main(ctx context.Context, age string, words, env []string) int {
	c := &call{env: env, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, terminal: term.IsTerminal(int(os.Stdin.Fd()))}
	if len(words) == 0 {
		return c.become(words)
	}
	if words[0] == "container" && len(words) > 1 && (words[1] == "run" || words[1] == "attach") {
		words = words[1:]
	}
	switch verb := words[0]; {
	case verb == "run":
		return c.run(ctx, words)
	case verb == "attach" && !c.terminal:
		return c.attach(ctx, words)
	case age == plug.Age2014 && verb == "ps" && !hasOption(words, "--format", "-q", "--quiet", "--help"):
		return c.filter(ctx, words, withLatest)
	case age == plug.Age2014 && verb == "port":
		return c.filter(ctx, words, oneLine)
	case age == plug.Age2014 && verb == "inspect" && !hasOption(words, "-f", "--format", "--help"):
		return c.filter(ctx, words, func(text string) string { return withVolumes(oneAddress(text)) })
	}
	return c.become(words)
}

// hasOption tells whether one of the options is among the words, by itself, with = or, when it is short, with others.
func hasOption(words []string, options ...string) bool {
	for _, word := range words {
		for _, o := range options {
			short := len(o) == 2 && strings.HasPrefix(word, "-") && !strings.HasPrefix(word, "--") && strings.Contains(word, o[1:])
			if word == o || strings.HasPrefix(word, o+"=") || short {
				return true
			}
		}
	}
	return false
}

// become ends in docker itself.
func (c *call) become(words []string) int {
	path, err := proc.LookPath(c.env, "docker")
	if err == nil {
		err = syscall.Exec(path, append([]string{"docker"}, words...), c.env)
	}
	return c.fail(err)
}

func (c *call) fail(err error) int {
	fmt.Fprintf(c.stderr, "docker: %v\n", err)
	return 125 // docker's own status for its failures
}

// docker runs docker and returns its status.
func (c *call) docker(ctx context.Context, stdout, stderr io.Writer, words ...string) int {
	err := proc.Run(ctx, proc.Cmd{Args: append([]string{"docker"}, words...), Env: c.env, Stdin: c.stdin, Stdout: stdout, Stderr: stderr})
	return c.status(err)
}

func (c *call) status(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	case errors.As(err, &exit):
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
	}
	return c.fail(err)
}

// filter shows what docker prints as it was shown then.
func (c *call) filter(ctx context.Context, words []string, old func(string) string) int {
	var out bytes.Buffer
	status := c.docker(ctx, &out, c.stderr, words...)
	if _, err := io.WriteString(c.stdout, old(out.String())); err != nil {
		return c.fail(err)
	}
	return status
}

// run makes up for what has changed in `docker run`.
func (c *call) run(ctx context.Context, words []string) int {
	r, ok := parseRun(words[1:])
	if !ok {
		return c.become(words)
	}
	if r.feeds() {
		return c.feed(ctx, r)
	}
	// A terminal was not insisted upon.
	dropped := !c.terminal && r.wantsTerminal() && r.drop("-t", "--tty")
	if !dropped && !r.old {
		return c.become(words)
	}
	return c.become(append([]string{"run"}, r.words(nil)...))
}

// feed starts a container that only reads: its id is printed, it gets standard input, and is not waited for.
func (c *call) feed(ctx context.Context, r *runCall) int {
	r.drop("--sig-proxy", "--detach-keys")
	var out bytes.Buffer
	if status := c.docker(ctx, &out, c.stderr, append([]string{"create"}, r.words(nil)...)...); status != 0 {
		return 125
	}
	id := strings.TrimSpace(out.String())
	engine, err := dockerapi.New(settings.Settings{Env: c.env})
	if err != nil {
		return c.fail(err)
	}
	defer engine.Close()
	if err := engine.Feed(ctx, id, c.stdin, func() { fmt.Fprintln(c.stdout, id) }); err != nil {
		c.fail(err)
		return 127
	}
	return 0
}

// attach shows the output of a container that has ended already, and returns its status, as if it had been attached to
// in time: docker is faster now than the next line of a script.
func (c *call) attach(ctx context.Context, words []string) int {
	watch := &refusal{to: c.stderr}
	status := c.docker(ctx, c.stdout, watch, words...)
	if !watch.refused {
		return status
	}
	id := words[len(words)-1]
	if status := c.docker(ctx, c.stdout, c.stderr, "logs", id); status != 0 {
		return status
	}
	var out bytes.Buffer
	if status := c.docker(ctx, &out, c.stderr, "inspect", "--format", "{{.State.ExitCode}}", id); status != 0 {
		return status
	}
	code := 0
	if _, err := fmt.Sscan(out.String(), &code); err != nil {
		return c.fail(err)
	}
	return code
}

// refusal passes on what docker says, but for its refusal to attach to a container that has ended.
type refusal struct {
	to      io.Writer
	refused bool
}

func (r *refusal) Write(p []byte) (int, error) {
	if bytes.Contains(bytes.ToLower(p), []byte("cannot attach to a stopped container")) {
		r.refused = true
		return len(p), nil
	}
	return r.to.Write(p)
}
