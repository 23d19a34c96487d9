package releases

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// mask stands for the value of a variable that nobody asked to see.
const mask = "********"

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// masked is the release with its variables hidden, unless they are to be revealed, and without what is only there for
// a rollback that is under way.
func masked(r *release.Release, reveal bool) *release.Release {
	out := *r
	out.Before = nil
	if !reveal {
		out.Config = make(map[string]string, len(r.Config))
		for key := range r.Config {
			out.Config[key] = mask
		}
	}
	return &out
}

// summary is a line of the list.
type summary struct {
	Number   int             `json:"number"`
	Current  bool            `json:"current"`
	Outcome  release.Outcome `json:"outcome"`
	Reason   string          `json:"reason,omitempty"`
	Cause    string          `json:"cause"`
	Revision string          `json:"revision,omitempty"`
	By       release.By      `json:"by"`
	Began    time.Time       `json:"began"`
	Seconds  float64         `json:"seconds"`
	Kept     bool            `json:"kept"` // a rollback can go to it
}

func list(ctx context.Context, c *plug.C) error {
	req, err := parse(c, 1)
	if err != nil {
		return err
	}
	a, err := c.App(0)
	if err != nil {
		return err
	}
	all, err := release.List(a)
	if err != nil {
		return err
	}
	kept := release.Kept(all, release.Retain(c.Settings(), a.Name))
	there, err := imagesOf(ctx, c, kept)
	if err != nil {
		c.Warn("Whether the images are there is not known: %v", err)
	}
	lines := make([]summary, 0, len(all))
	for _, r := range all {
		lines = append(lines, summary{Number: r.Number, Current: len(kept) > 0 && kept[0] == r, Outcome: r.Outcome, Reason: r.Reason, Cause: cause(r),
			Revision: r.Revision, By: r.By, Began: r.Began, Seconds: r.Seconds(), Kept: slices.Contains(kept, r) && (err != nil || there[r.Image])})
	}
	if req.json {
		return printJSON(c.Stdout, lines)
	}
	if len(lines) == 0 {
		c.Info2("%s has no releases", a.Name)
		return nil
	}
	c.Info2("%s releases", a.Name)
	t := tabwriter.NewWriter(c.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "RELEASE\tOUTCOME\tCAUSE\tREVISION\tBY\tWHEN\tSECONDS\tROLLBACK")
	for i, s := range lines {
		name, can := release.Name(s.Number), ""
		switch {
		case s.Current:
			can = "current"
		case s.Kept:
			can = "possible"
		case slices.Contains(kept, all[i]):
			can = "image gone"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.7s\t%s\t%s\t%.1f\t%s\n", name, s.Outcome, s.Cause, s.Revision, s.By.Name,
			s.Began.Local().Format(time.DateTime), s.Seconds, can)
	}
	return t.Flush()
}

// imagesOf tells which images of list are in the engine, by id: a name can be made again.
func imagesOf(ctx context.Context, c *plug.C, list []*release.Release) (map[string]bool, error) {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	there := map[string]bool{}
	for _, r := range list {
		if _, asked := there[r.Image]; asked {
			continue
		}
		id, err := engine.ImageID(ctx, r.Image)
		if err != nil {
			return nil, err
		}
		there[r.Image] = id != ""
	}
	return there, nil
}

func cause(r *release.Release) string {
	if r.RollbackOf != 0 {
		return r.Cause + " to " + release.Name(r.RollbackOf)
	}
	return r.Cause
}

// named returns the release that word i names.
func named(c *plug.C, i int) (*release.Release, error) {
	a, err := c.App(0)
	if err != nil {
		return nil, err
	}
	n, err := release.Parse(c.Arg(i))
	if err != nil {
		return nil, c.Usage("%v", err)
	}
	return release.Read(a, n)
}

func info(_ context.Context, c *plug.C) error {
	req, err := parse(c, 2)
	if err != nil {
		return err
	}
	r, err := named(c, 1)
	if err != nil {
		return err
	}
	r = masked(r, req.reveal)
	if req.json {
		return printJSON(c.Stdout, r)
	}
	c.Info2("%s release %s", r.App, r.Name())
	t := tabwriter.NewWriter(c.Stdout, 0, 4, 2, ' ', 0)
	for _, f := range fields(r) {
		fmt.Fprintf(t, "%s:\t%s\n", f.name, f.value)
	}
	fmt.Fprintf(t, "by:\t%s\n", strings.TrimSpace(r.By.Name+" "+r.By.Fingerprint))
	fmt.Fprintf(t, "began:\t%s\n", r.Began.Local().Format(time.DateTime))
	fmt.Fprintf(t, "outcome:\t%s\n", strings.TrimSpace(string(r.Outcome)+" "+r.Reason))
	for _, p := range r.Phases {
		fmt.Fprintf(t, "phase %s:\t%.3f s\n", p.Name, p.Seconds)
	}
	err = t.Flush()
	fmt.Fprint(c.Stdout, r.Output)
	return err
}

// field is one thing that a release is made of.
type field struct {
	name, value string
}

// fields lists what a release is made of, in the order in which it is shown.
func fields(r *release.Release) []field {
	out := []field{{"cause", cause(r)}, {"revision", r.Revision}, {"image", r.Image}}
	for _, kind := range slices.Sorted(maps.Keys(r.Processes)) {
		out = append(out, field{"process " + kind, fmt.Sprint(r.Processes[kind])})
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Ports)) {
		out = append(out, field{"port " + kind, fmt.Sprint(r.Ports[kind])})
	}
	domains := "(by the global domain)"
	if r.Domains != nil {
		domains = strings.Join(r.Domains, " ")
	}
	out = append(out, field{"domains", domains}, field{"docker options", strings.Join(r.DockerOptions, " ")})
	for _, key := range slices.Sorted(maps.Keys(r.Config)) {
		out = append(out, field{"config " + key, oneLine(r.Config[key])})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		out = append(out, field{"file " + name, oneLine(r.Files[name])})
	}
	return out
}

// oneLine quotes a value that would not stay in its line.
func oneLine(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// change is a difference between two releases.
type change struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

func diff(_ context.Context, c *plug.C) error {
	req, err := parse(c, 3)
	if err != nil {
		return err
	}
	from, err := named(c, 1)
	if err != nil {
		return err
	}
	to := from
	if c.Arg(2) != "" {
		to, err = named(c, 2)
	} else if to, err = current(c); err == nil && to == nil {
		err = fmt.Errorf("cannot compare %s with what is in service: nothing is", from.Name())
	}
	if err != nil {
		return err
	}
	changes := compare(from, to, req.reveal)
	if req.json {
		return printJSON(c.Stdout, changes)
	}
	c.Info2("%s: from %s to %s", from.App, from.Name(), to.Name())
	if len(changes) == 0 {
		c.Verbose("Nothing differs")
	}
	for _, ch := range changes {
		if ch.From != "" {
			fmt.Fprintf(c.Stdout, "- %s: %s\n", ch.Name, ch.From)
		}
		if ch.To != "" {
			fmt.Fprintf(c.Stdout, "+ %s: %s\n", ch.Name, ch.To)
		}
	}
	return nil
}

func current(c *plug.C) (*release.Release, error) {
	a, err := c.App(0)
	if err != nil {
		return nil, err
	}
	return release.Current(a)
}

// compare lists what differs. Values of variables are compared as they are, and shown only when they may be.
func compare(from, to *release.Release, reveal bool) []change {
	values := func(r *release.Release) (names []string, m map[string]string) {
		m = map[string]string{}
		for _, f := range fields(r)[1:] { // why it was made is no part of it
			names, m[f.name] = append(names, f.name), f.value
		}
		return names, m
	}
	names, old := values(from)
	more, now := values(to)
	for _, name := range more {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	out := []change{}
	for _, name := range names {
		x, hadX := old[name]
		y, hasY := now[name]
		if x == y && hadX == hasY {
			continue
		}
		if !reveal && strings.HasPrefix(name, "config ") {
			if hadX {
				x = mask
			}
			if hasY {
				y = mask
			}
		}
		out = append(out, change{Name: name, From: x, To: y})
	}
	return out
}
