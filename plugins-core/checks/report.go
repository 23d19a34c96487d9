package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// facts are what the report says of an app, in its order.
type facts []struct{ name, value string }

// report shows how an app, or each app, is checked.
func report(ctx context.Context, c *plug.C) error {
	format, flag, names, err := reportWords(c)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		if flag != "" {
			return c.Usage("cannot show %s of no app: name the app", flag)
		}
		if names, err = app.List(c.Settings().Root()); err != nil {
			return err
		}
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	var errs []error
	for _, name := range names {
		a, err := app.Find(c.Settings().Root(), name)
		if err != nil {
			return err
		}
		f, err := reportOf(ctx, c, engine, a)
		if err == nil {
			err = f.print(c, a, format, flag)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// reportWords reads [APP] [--format json|text] [--checks-NAME].
func reportWords(c *plug.C) (format, flag string, names []string, err error) {
	format = "text"
	for i := 0; i < len(c.Args); i++ {
		word := c.Args[i]
		switch {
		case word == "--format" && i+1 < len(c.Args):
			i++
			format = c.Args[i]
		case strings.HasPrefix(word, "--format="):
			format = strings.TrimPrefix(word, "--format=")
		case strings.HasPrefix(word, "--checks-"):
			flag = word
		case strings.HasPrefix(word, "-"):
			return "", "", nil, c.Usage("cannot use option %q: it is unknown", word)
		default:
			names = append(names, word)
		}
	}
	switch {
	case format == "stdout":
		format = "text"
	case format != "text" && format != "json":
		return "", "", nil, c.Usage("cannot print as %q: the formats are json and text", format)
	}
	if len(names) > 1 {
		return "", "", nil, c.Usage("cannot use %q: too many words", names[1])
	}
	return format, flag, names, nil
}

func (f facts) print(c *plug.C, a app.App, format, flag string) error {
	if flag != "" {
		for _, fact := range f {
			if flag == "--checks-"+strings.ReplaceAll(fact.name, " ", "-") {
				fmt.Fprintln(c.Stdout, fact.value)
				return nil
			}
		}
		return c.Usage("cannot use option %q: it is unknown", flag)
	}
	if format == "json" {
		out := map[string]string{"app": a.Name}
		for _, fact := range f {
			out[strings.ReplaceAll(fact.name, " ", "-")] = fact.value
		}
		e := json.NewEncoder(c.Stdout)
		e.SetEscapeHTML(false)
		return e.Encode(out)
	}
	c.Info2("%s checks information", a.Name)
	for _, fact := range f {
		c.Verbose("Checks %-30s %s", fact.name+":", fact.value)
	}
	return nil
}

// reportOf gathers the report on one app.
func reportOf(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) (facts, error) {
	v, err := readValues(c, a)
	if err != nil {
		return nil, err
	}
	image, err := engine.Image(ctx, a.Image(deploy.LatestTag))
	if dockerapi.IsNotFound(err) {
		image, err = &dockerapi.Image{}, nil // not deployed yet
	}
	if err != nil {
		return nil, err
	}
	text, from, err := findChecks(ctx, a, image, func(ctx context.Context, path string) ([]byte, error) {
		if id := a.State("CONTAINER.web.1"); id != "" {
			return engine.CopyFrom(ctx, id, path, deploy.MaxSourceFile)
		}
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	l, err := parseList(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use the CHECKS of %q (from %s): %w", a.Name, from, err)
	}
	limits, err := v.limits(l)
	if err != nil {
		return nil, err
	}
	stays, err := v.Int(settings.DefaultCheckWait, 10)
	if err != nil {
		return nil, err
	}
	health, err := healthReport(image)
	if err != nil {
		return nil, fmt.Errorf("cannot read app.json of %q: %w", a.Name, err)
	}
	return facts{
		{"disabled list", none(readTypes(c.Settings(), a, disabled).String())},
		{"skipped list", none(readTypes(c.Settings(), a, skipped).String())},
		{"skip all", fmt.Sprint(v.On(settings.SkipAllChecks))},
		{"skip default", fmt.Sprint(v.On(settings.SkipDefault))},
		{"computed wait", fmt.Sprint(int(limits.wait.Seconds()))},
		{"computed timeout", fmt.Sprint(int(limits.timeout.Seconds()))},
		{"computed attempts", fmt.Sprint(limits.attempts)},
		{"default wait", fmt.Sprint(stays)},
		{"file", none(from)},
		{"requests", fmt.Sprint(len(l.checks))},
		{"healthchecks", none(health)},
	}, nil
}

// healthReport counts the healthchecks of app.json, also those that a deploy does not run.
func healthReport(image *dockerapi.Image) (string, error) {
	text, err := labelText(image, dockerapi.LabelAppJSON)
	if err != nil {
		return "", err
	}
	all, _, err := parseHealth([]byte(text))
	if err != nil {
		return "", err
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		for _, which := range []string{"startup", "readiness", "liveness"} {
			n := 0
			for _, h := range all[kind] {
				if h.kind == which {
					n++
				}
			}
			if n > 0 {
				parts = append(parts, fmt.Sprintf("%s %s %d", kind, which, n))
			}
		}
	}
	return strings.Join(parts, ", "), nil
}

func none(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
