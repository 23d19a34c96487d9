// Package doctor is the plugin that looks whether all of the host and of its apps is as the records say, and names what
// mends what is not. What there is to look at is known by the plugins that own it: they answer the hook doctor-check.
package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// limit is how long one plugin may look.
const limit = 20 * time.Second

// hook is what plugins answer.
const hook = "doctor-check"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "doctor",
		Description: "looks whether all is as it should be",
		Hooks:       map[string]plug.Hook{hook: plug.Diagnose([]string{"disk", "clock"}, checkHost)},
		Commands: []plug.Command{
			{Name: "doctor", Args: "[APP] [--format json]", Help: "Look whether all is well, and name what to do", Looks: true, Run: doctor},
		},
	}
}

func doctor(ctx context.Context, c *plug.C) error {
	asJSON, err := parse(c)
	if err != nil {
		return err
	}
	findings, err := askAll(ctx, c)
	if err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(c.Stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		err = e.Encode(findings)
	} else {
		err = show(c, findings)
	}
	if err == nil && slices.ContainsFunc(findings, func(f plug.Finding) bool { return f.Level == plug.Violation }) {
		err = &pluginhook.ExitError{Path: c.Path, Code: 1}
	}
	return err
}

// parse reads the words; what is left of them is the app, if one is named.
func parse(c *plug.C) (asJSON bool, err error) {
	var words []string
	for i := 0; i < len(c.Args); i++ {
		word := c.Args[i]
		value, isFormat := strings.CutPrefix(word, "--format=")
		if word == "--format" && i+1 < len(c.Args) {
			i++
			value, isFormat = c.Args[i], true
		}
		switch {
		case isFormat && (value == "json" || value == "text"):
			asJSON = value == "json"
		case isFormat:
			return false, c.Usage("cannot print as %q: the formats are json and text", value)
		case strings.HasPrefix(word, "-"):
			return false, c.Usage("cannot use option %q: it is unknown", word)
		default:
			words = append(words, word)
		}
	}
	if len(words) > 1 {
		return false, c.Usage("cannot look at %d apps at once: name one, or none for all", len(words))
	}
	c.Args = words
	if len(words) == 1 {
		_, err = c.App(0)
	}
	return asJSON, err
}

// askAll asks the plugins, all at the same time, and returns what they find, by plugin and then by app.
func askAll(ctx context.Context, c *plug.C) ([]plug.Finding, error) {
	hooks, err := pluginhook.Find(c.Runner.Path, hook)
	if err != nil {
		return nil, err
	}
	answers := make([][]plug.Finding, len(hooks))
	var wg sync.WaitGroup
	for i, h := range hooks {
		wg.Go(func() { answers[i] = ask(ctx, c, h) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return slices.Concat(append([][]plug.Finding{{}}, answers...)...), nil
}

// ask asks one plugin. What it says that is no finding is one, a warning.
func ask(ctx context.Context, c *plug.C, h pluginhook.Hook) []plug.Finding {
	exec := c.Runner.Exec
	if exec == nil {
		exec = pluginhook.OSExec
	}
	var out, diag bytes.Buffer
	err := pluginhook.Limit(exec, limit)(ctx, &pluginhook.Call{Hook: h.Name, Path: h.Path, Dir: h.Dir, Args: c.Args, Env: c.Env,
		Stdout: &out, Stderr: &diag, Runner: c.Runner})
	var findings []plug.Finding
	odd := func(text string) {
		if text = strings.TrimSpace(strings.TrimPrefix(text, " !     ")); text != "" {
			findings = append(findings, plug.Finding{Level: plug.Warning, Check: h.Plugin, Plugin: h.Plugin, Problem: "the plugin says: " + text})
		}
	}
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSpace(line)
		if f, ok := plug.ParseFinding(line); ok {
			f.Plugin = h.Plugin
			findings = append(findings, f)
		} else {
			odd(line)
		}
	}
	for line := range strings.Lines(diag.String()) {
		odd(line)
	}
	if err != nil {
		findings = append(findings, plug.Finding{Level: plug.Violation, Check: h.Plugin, Plugin: h.Plugin,
			Problem: fmt.Sprintf("the plugin cannot look: %v", err), Do: "mend or disable plugin " + h.Plugin})
	}
	return findings
}

// show prints the findings by area, in the order of the plugins.
func show(c *plug.C, findings []plug.Finding) error {
	var areas []string
	for _, f := range findings {
		if !slices.Contains(areas, f.Check) {
			areas = append(areas, f.Check)
		}
	}
	var out strings.Builder
	for _, area := range areas {
		var lines strings.Builder
		well := true
		for _, f := range findings {
			if f.Check == area && f.Problem != "" {
				well = well && f.Level == plug.OK
				lines.WriteString(line(f))
			}
		}
		if well {
			fmt.Fprintf(&out, "-----> %s: all is well\n", area)
		} else {
			fmt.Fprintf(&out, "-----> %s\n", area)
		}
		out.WriteString(lines.String())
	}
	_, err := io.WriteString(c.Stdout, out.String())
	return err
}

func line(f plug.Finding) string {
	mark, text := " !     ", f.Problem
	switch f.Level {
	case plug.OK:
		mark = "       "
	case plug.Warning:
		text = "warning: " + text
	}
	if f.App != "" {
		text = f.App + ": " + text
	}
	if f.Do != "" {
		text += "; do: " + f.Do
	}
	return mark + text + "\n"
}

// checkHost looks at what belongs to no plugin: space for state and builds, and the clock.
func checkHost(_ context.Context, c *plug.C, d *plug.Diagnosis) {
	s := c.Settings()
	tmp := c.Getenv("TMPDIR")
	if tmp == "" {
		tmp = "/tmp"
	}
	for _, dir := range []string{s.Root(), s.LibRoot(), tmp} {
		d.Space("disk", dir, "free space below "+dir+", or give it more")
	}
	// A clock that ran ahead has marked what it made; with one that is behind, all that was made is in the future.
	d.EachApp(c, func(a app.App, d *plug.Diagnosis) {
		list, err := release.List(a)
		if err != nil {
			return // plugin apps says so
		}
		for _, r := range list {
			if ahead := time.Until(r.Began); ahead > 5*time.Minute {
				d.Warning("clock", a.Name, "set the clock: see date", "release %s began in the future, in %s", r.Name(), ahead.Round(time.Minute))
				return
			}
		}
	})
	if st, err := os.Stat(filepath.Clean(s.LibRoot())); err == nil && time.Until(st.ModTime()) > 5*time.Minute {
		d.Warning("clock", "", "set the clock: see date", "%s was changed in the future", s.LibRoot())
	}
}
