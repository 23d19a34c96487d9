// Package dockeroptions is the plugin docker-options: it keeps options for docker with which an app's builds, processes
// and commands are run.
package dockeroptions

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockeroptions"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

const pluginName = "docker-options"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "keeps options for docker",
		Hooks: map[string]plug.Hook{
			"report":                     reporter().Hook,
			"docker-args-build":          filter(dockeroptions.Build),
			"docker-args-deploy":         filter(dockeroptions.Deploy),
			"docker-args-process-deploy": filterProcess,
			"docker-args-run":            filter(dockeroptions.Run),
		},
		Commands: []plug.Command{
			{Name: "docker-options", Args: "APP [PHASE,...]", Help: "Show the options for docker of an application", Run: show},
			{Name: "docker-options:add", Raw: true, Args: "[--process TYPE] APP PHASE,... OPTION", Help: "Add an option for docker in the phases build, deploy and run", Run: add},
			{Name: "docker-options:remove", Raw: true, Args: "[--process TYPE] APP PHASE,... OPTION", Help: "Remove an option for docker", Run: remove},
			{Name: "docker-options:clear", Args: "[--process TYPE] APP [PHASE,...]", Help: "Remove all options for docker", Run: clearAll},
			{Name: "docker-options:list", Args: "[--phase PHASE] [--process TYPE] APP", Help: "List the options for docker of one phase", Run: list},
			{Name: "docker-options:report", Args: reporter().Args(), Help: "Show the options for docker of applications", Run: reporter().Run},
		},
	}
}

// filter puts the app's options behind those of other plugins.
func filter(phase string) plug.Hook {
	return func(_ context.Context, c *plug.C) error { return filterScope(c, dockeroptions.Scope{Phase: phase}) }
}

// filterProcess is filter for the options of one process type: APP BUILDER TAG TYPE INDEX.
func filterProcess(_ context.Context, c *plug.C) error {
	return filterScope(c, dockeroptions.Scope{Phase: dockeroptions.Deploy, Process: c.Arg(3)})
}

func filterScope(c *plug.C, scope dockeroptions.Scope) error {
	if c.Stdin != nil {
		if _, err := io.Copy(c.Stdout, c.Stdin); err != nil {
			return err
		}
	}
	a, err := c.App(0)
	if err != nil {
		return err
	}
	options, err := dockeroptions.Read(a, scope)
	for _, option := range options {
		if !strings.HasPrefix(option, "#") { // files that people edit have comments
			fmt.Fprint(c.Stdout, " "+option)
		}
	}
	return err
}

// words are those of a command, without the flags that may stand before the app and behind it.
type words struct {
	app       app.App
	scopes    []dockeroptions.Scope
	processes []string
	phase     string // of --phase
}

// parse reads [--phase PHASE] [--process TYPE] APP and takes the flags out of the words.
func parse(c *plug.C) (w words, err error) {
	var rest []string
	for i := 0; i < len(c.Args); i++ {
		flag, value, given := strings.Cut(c.Args[i], "=")
		if flag != "--process" && (flag != "--phase" || c.Verb() != "docker-options:list") {
			rest = append(rest, c.Args[i])
			continue
		}
		if !given && i+1 < len(c.Args) {
			i++
			value = c.Args[i]
		}
		switch {
		case flag == "--phase":
			w.phase = value
		case !scale.ValidType(value):
			return w, c.Usage("cannot use %q as a process type: give the name of one in the Procfile", value)
		default:
			w.processes = append(w.processes, value)
		}
	}
	c.Args = rest
	w.app, err = c.App(0)
	return w, err
}

// in sets the scopes that the phases and --process name.
func (w *words) in(c *plug.C, phases []string) error {
	for _, phase := range phases {
		if len(w.processes) == 0 {
			w.scopes = append(w.scopes, dockeroptions.Scope{Phase: phase})
		} else if phase != dockeroptions.Deploy {
			return c.Usage("cannot keep options of a process type for the phase %s: they are for deploy alone", phase)
		}
		for _, process := range w.processes {
			w.scopes = append(w.scopes, dockeroptions.Scope{Phase: phase, Process: process})
		}
	}
	return nil
}

// option reads [--process TYPE] APP PHASE,... OPTION.
func option(c *plug.C) (w words, option string, err error) {
	if w, err = parse(c); err != nil {
		return w, "", err
	}
	if len(c.Args) < 3 {
		return w, "", c.Usage("cannot change the options of %q: give phases and an option", w.app.Name)
	}
	phases, err := dockeroptions.ParsePhases(c.Args[1])
	if err == nil {
		err = w.in(c, phases)
	}
	if err != nil {
		return w, "", err
	}
	option = strings.TrimSpace(strings.Join(c.Args[2:], " "))
	return w, option, dockeroptions.Check(option)
}

func add(ctx context.Context, c *plug.C) error {
	w, option, err := option(c)
	if err != nil {
		return err
	}
	if !dockeroptions.Harmless(option) {
		if err := c.Admin(ctx); err != nil {
			return err
		}
		if c.Verb() != "" && dockeroptions.Warns(option, filepath.Join(c.Settings().LibRoot(), "data/storage")) {
			c.Warn("%s may give %s, and whoever deploys it, power over the host", option, w.app.Name)
		}
	}
	return dockeroptions.Edit(ctx, w.app, w.scopes, func(old []string) ([]string, error) { return append(old, option), nil })
}

func remove(ctx context.Context, c *plug.C) error {
	w, option, err := option(c)
	if err != nil {
		return err
	}
	return dockeroptions.Edit(ctx, w.app, w.scopes, func(old []string) ([]string, error) {
		return slices.DeleteFunc(old, func(o string) bool { return o == option }), nil
	})
}

// some reads [--process TYPE] APP [PHASE,...]; without phases it is all, or with process types the one that has these.
func some(c *plug.C) (w words, err error) {
	if w, err = parse(c); err != nil {
		return w, err
	}
	phases := dockeroptions.Phases()
	switch {
	case len(c.Args) > 2:
		return w, c.Usage("cannot use %q: too many words", c.Args[2])
	case len(c.Args) == 2:
		phases, err = dockeroptions.ParsePhases(c.Args[1])
	case len(w.processes) > 0:
		phases = []string{dockeroptions.Deploy}
	}
	if err == nil {
		err = w.in(c, phases)
	}
	return w, err
}

func clearAll(ctx context.Context, c *plug.C) error {
	w, err := some(c)
	if err != nil {
		return err
	}
	c.Info1("Clearing docker-options for %s on phases %s", w.app.Name, names(w.scopes))
	return dockeroptions.Edit(ctx, w.app, w.scopes, func([]string) ([]string, error) { return nil, nil })
}

func names(scopes []dockeroptions.Scope) string {
	out := make([]string, len(scopes))
	for i, s := range scopes {
		out[i] = s.String()
	}
	return strings.Join(out, ", ")
}

// withProcesses are the scopes of those phases, and of the process types that have options in them.
func withProcesses(a app.App, phases []string) (scopes []dockeroptions.Scope, err error) {
	processes, err := dockeroptions.Processes(a)
	for _, phase := range phases {
		scopes = append(scopes, dockeroptions.Scope{Phase: phase})
		for _, process := range processes {
			if phase == dockeroptions.Deploy {
				scopes = append(scopes, dockeroptions.Scope{Phase: phase, Process: process})
			}
		}
	}
	return scopes, err
}

func show(_ context.Context, c *plug.C) error {
	w, err := some(c)
	if err != nil {
		return err
	}
	if len(w.processes) == 0 {
		var phases []string
		for _, s := range w.scopes {
			phases = append(phases, s.Phase)
		}
		if w.scopes, err = withProcesses(w.app, phases); err != nil {
			return err
		}
	}
	for _, scope := range w.scopes {
		options, err := dockeroptions.Read(w.app, scope)
		if err != nil {
			return err
		}
		title := strings.ToUpper(scope.Phase[:1]) + scope.String()[1:] + " options:"
		if len(options) == 0 {
			if len(c.Args) > 1 { // phases that nobody asked for are left out
				fmt.Fprintln(c.Stdout, title, "none")
			}
			continue
		}
		fmt.Fprintln(c.Stdout, title)
		for _, option := range options {
			fmt.Fprintln(c.Stdout, "    "+option)
		}
	}
	return nil
}

func list(_ context.Context, c *plug.C) error {
	w, err := parse(c)
	if err != nil {
		return err
	}
	if !slices.Contains(dockeroptions.Phases(), w.phase) || len(c.Args) > 1 || len(w.processes) > 1 {
		return c.Usage("cannot list the options of %q: give one --phase of %s", w.app.Name, strings.Join(dockeroptions.Phases(), ", "))
	}
	if err := w.in(c, []string{w.phase}); err != nil {
		return err
	}
	options, err := dockeroptions.Read(w.app, w.scopes[0])
	for _, option := range options {
		fmt.Fprintln(c.Stdout, option)
	}
	return err
}

func reporter() plug.Reporter { return plug.Reporter{Area: pluginName, Of: reportOf} }

func reportOf(_ context.Context, _ *plug.C, a app.App) (plug.Facts, error) {
	var facts plug.Facts
	scopes, err := withProcesses(a, dockeroptions.Phases())
	if err != nil {
		return nil, err
	}
	for _, scope := range scopes {
		options, err := dockeroptions.Read(a, scope)
		if err != nil {
			return nil, err
		}
		facts = append(facts, plug.Fact{Name: scope.String(), Value: strings.Join(options, " ")})
	}
	return facts, nil
}
