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
	"github.com/dokku-go/dokku/plugins-core/plug"
)

const pluginName = "docker-options"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "keeps options for docker",
		Hooks: map[string]plug.Hook{
			"docker-args-build":  filter(dockeroptions.Build),
			"docker-args-deploy": filter(dockeroptions.Deploy),
			"docker-args-run":    filter(dockeroptions.Run),
		},
		Commands: []plug.Command{
			{Name: "docker-options", Args: "APP [PHASE,...]", Help: "Show the options for docker of an application", Run: show},
			{Name: "docker-options:add", Args: "APP PHASE,... OPTION", Help: "Add an option for docker in the phases build, deploy and run", Run: add},
			{Name: "docker-options:remove", Args: "APP PHASE,... OPTION", Help: "Remove an option for docker", Run: remove},
			{Name: "docker-options:clear", Args: "APP [PHASE,...]", Help: "Remove all options for docker", Run: clearAll},
			{Name: "docker-options:list", Args: "[--phase PHASE] APP", Help: "List the options for docker of one phase", Run: list},
			{Name: "docker-options:report", Args: reporter().Args(), Help: "Show the options for docker of applications", Run: reporter().Run},
		},
	}
}

// filter puts the app's options behind those of other plugins.
func filter(phase string) plug.Hook {
	return func(_ context.Context, c *plug.C) error {
		if c.Stdin != nil {
			if _, err := io.Copy(c.Stdout, c.Stdin); err != nil {
				return err
			}
		}
		a, err := c.App(0)
		if err != nil {
			return err
		}
		options, err := dockeroptions.Read(a, phase)
		for _, option := range options {
			if !strings.HasPrefix(option, "#") { // files that people edit have comments
				fmt.Fprint(c.Stdout, " "+option)
			}
		}
		return err
	}
}

// words reads APP PHASE,... OPTION.
func words(c *plug.C) (a app.App, phases []string, option string, err error) {
	if a, err = c.App(0); err != nil {
		return a, nil, "", err
	}
	if len(c.Args) < 3 {
		return a, nil, "", c.Usage("cannot change the options of %q: give phases and an option", a.Name)
	}
	if phases, err = dockeroptions.ParsePhases(c.Args[1]); err != nil {
		return a, nil, "", err
	}
	option = strings.TrimSpace(strings.Join(c.Args[2:], " "))
	return a, phases, option, dockeroptions.Check(option)
}

func add(ctx context.Context, c *plug.C) error {
	a, phases, option, err := words(c)
	if err != nil {
		return err
	}
	if !dockeroptions.Harmless(option) {
		if err := c.Admin(ctx); err != nil {
			return err
		}
		if c.Verb() != "" && dockeroptions.Warns(option, filepath.Join(c.Settings().LibRoot(), "data/storage")) {
			c.Warn("%s may give %s, and whoever deploys it, power over the host", option, a.Name)
		}
	}
	return dockeroptions.Edit(ctx, a, phases, func(_ string, old []string) ([]string, error) { return append(old, option), nil })
}

func remove(ctx context.Context, c *plug.C) error {
	a, phases, option, err := words(c)
	if err != nil {
		return err
	}
	return dockeroptions.Edit(ctx, a, phases, func(_ string, old []string) ([]string, error) {
		return slices.DeleteFunc(old, func(o string) bool { return o == option }), nil
	})
}

// some reads APP [PHASE,...]; without phases it is all.
func some(c *plug.C) (a app.App, phases []string, err error) {
	if a, err = c.App(0); err != nil {
		return a, nil, err
	}
	switch len(c.Args) {
	case 1:
		return a, dockeroptions.Phases(), nil
	case 2:
		phases, err = dockeroptions.ParsePhases(c.Args[1])
		return a, phases, err
	}
	return a, nil, c.Usage("cannot use %q: too many words", c.Args[2])
}

func clearAll(ctx context.Context, c *plug.C) error {
	a, phases, err := some(c)
	if err != nil {
		return err
	}
	c.Info1("Clearing docker-options for %s on phases %s", a.Name, strings.Join(phases, ", "))
	return dockeroptions.Edit(ctx, a, phases, func(string, []string) ([]string, error) { return nil, nil })
}

func show(_ context.Context, c *plug.C) error {
	a, phases, err := some(c)
	if err != nil {
		return err
	}
	for _, phase := range phases {
		options, err := dockeroptions.Read(a, phase)
		if err != nil {
			return err
		}
		title := strings.ToUpper(phase[:1]) + phase[1:] + " options:"
		if len(options) == 0 {
			fmt.Fprintln(c.Stdout, title, "none")
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
	phase := ""
	var rest []string
	for i := 0; i < len(c.Args); i++ {
		switch word := c.Args[i]; {
		case word == "--phase" && i+1 < len(c.Args):
			i++
			phase = c.Args[i]
		case strings.HasPrefix(word, "--phase="):
			phase = strings.TrimPrefix(word, "--phase=")
		case strings.HasPrefix(word, "-"):
			return c.Usage("cannot use option %q: it is unknown", word)
		default:
			rest = append(rest, word)
		}
	}
	c.Args = rest
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if !slices.Contains(dockeroptions.Phases(), phase) || len(rest) > 1 {
		return c.Usage("cannot list the options of %q: give one --phase of %s", a.Name, strings.Join(dockeroptions.Phases(), ", "))
	}
	options, err := dockeroptions.Read(a, phase)
	for _, option := range options {
		fmt.Fprintln(c.Stdout, option)
	}
	return err
}

func reporter() plug.Reporter { return plug.Reporter{Area: pluginName, Of: reportOf} }

func reportOf(_ context.Context, _ *plug.C, a app.App) (plug.Facts, error) {
	var facts plug.Facts
	for _, phase := range dockeroptions.Phases() {
		options, err := dockeroptions.Read(a, phase)
		if err != nil {
			return nil, err
		}
		facts = append(facts, plug.Fact{Name: phase, Value: strings.Join(options, " ")})
	}
	return facts, nil
}
