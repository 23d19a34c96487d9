package checks

import (
	"context"
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

// reportOf gathers the report on one app.
func reportOf(ctx context.Context, c *plug.C, a app.App) (plug.Facts, error) {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return nil, err
	}
	defer engine.Close()
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
	return plug.Facts{
		{Name: "disabled list", Value: none(readTypes(c.Settings(), a, disabled).String())},
		{Name: "skipped list", Value: none(readTypes(c.Settings(), a, skipped).String())},
		{Name: "skip all", Value: fmt.Sprint(v.On(settings.SkipAllChecks))},
		{Name: "skip default", Value: fmt.Sprint(v.On(settings.SkipDefault))},
		{Name: "computed wait", Value: fmt.Sprint(int(limits.wait.Seconds()))},
		{Name: "computed timeout", Value: fmt.Sprint(int(limits.timeout.Seconds()))},
		{Name: "computed attempts", Value: fmt.Sprint(limits.attempts)},
		{Name: "default wait", Value: fmt.Sprint(stays)},
		{Name: "file", Value: none(from)},
		{Name: "requests", Value: fmt.Sprint(len(l.checks))},
		{Name: "healthchecks", Value: none(health)},
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
