package schedulerdockerlocal

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// How much is kept of what containers have said that are gone.
const (
	keptLines = 100 // of each
	keptBytes = 16 << 10
)

// lastOutput returns the last lines of containers.
func lastOutput(ctx context.Context, engine *dockerapi.Engine, list []*process) string {
	var out strings.Builder
	for _, p := range list {
		if p.container == "" {
			continue // it was never made
		}
		var text strings.Builder
		if err := engine.Logs(ctx, p.container, keptLines, false, &text, &text); err != nil {
			fmt.Fprintln(&text, err)
		}
		share := keptBytes / len(list)
		said := text.String()
		fmt.Fprintf(&out, "=====> %s container output:\n%s", p.dyno(), said[max(0, len(said)-share):])
		if !strings.HasSuffix(said, "\n") {
			out.WriteString("\n")
		}
	}
	return strings.ToValidUTF8(out.String(), "?")
}

// showFailed prints what the containers of the last release that failed have said: SCHEDULER APP.
func showFailed(_ context.Context, c *plug.C, _ *dockerapi.Engine, a app.App) error {
	all, err := release.List(a)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Outcome != release.Failed && r.Outcome != release.Reverted {
			continue
		}
		c.Info2("%s release %s %s: %s", a.Name, r.Name(), r.Outcome, r.Reason)
		if r.Output == "" {
			c.Verbose("Its containers have said nothing, or there were none")
			return nil
		}
		fmt.Fprint(c.Stdout, r.Output)
		return nil
	}
	c.Info2("%s has no deploy on record that failed", a.Name)
	return nil
}

// inspect prints what the engine knows of the app's containers, without the values of variables: SCHEDULER APP.
func inspect(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	list, err := runningProcesses(a)
	if err != nil {
		return err
	}
	out := make([]json.RawMessage, 0, len(list))
	for _, p := range list {
		text, err := engine.Describe(ctx, p.container)
		if err != nil {
			return err
		}
		out = append(out, text)
	}
	e := json.NewEncoder(c.Stdout)
	e.SetIndent("", "    ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}
