package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// row is a line of the list.
type row struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	From    string    `json:"from"`
	With    []string  `json:"with"`
	Default bool      `json:"default"`
	Created time.Time `json:"created"`
	MB      int64     `json:"mb"`
}

// stacks lists the images that stack:create has made.
func stacks(ctx context.Context, engine *dockerapi.Engine, standard string) ([]row, error) {
	images, err := engine.Labelled(ctx, stackimage.LabelName)
	if err != nil {
		return nil, err
	}
	var out []row
	for _, img := range images {
		if !stackimage.IsStack(img.Names, img.Labels) {
			continue
		}
		r := row{Name: img.Labels[stackimage.LabelName], Kind: img.Labels[stackimage.LabelKind], From: img.Labels[stackimage.LabelFrom],
			With: []string{}, Created: img.Created.UTC(), MB: img.Bytes / 1e6}
		r.Default = r.Name == standard
		if with := img.Labels[stackimage.LabelWith]; with != "" {
			r.With = strings.Split(with, ",")
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b row) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func list(ctx context.Context, c *plug.C) error {
	asJSON := false
	switch words := strings.Join(c.Args, " "); words {
	case "", "--format text", "--format=text":
	case "--format json", "--format=json":
		asJSON = true
	default:
		return c.Usage("cannot list stacks with %q", words)
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	rows, err := stacks(ctx, engine, c.Settings().StackImage())
	if err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(c.Stdout)
		e.SetEscapeHTML(false)
		if rows == nil {
			rows = []row{}
		}
		return e.Encode(rows)
	}
	c.Info2Quiet("Stacks")
	for _, r := range rows {
		mark := ""
		if r.Default {
			mark = " (default)"
		}
		fmt.Fprintln(c.Stdout, r.Name+mark)
	}
	return nil
}

// report is the verb stack:report.
func report() plug.Reporter {
	return plug.Reporter{Area: "stack", Other: &plug.Subject{
		Name: "stack",
		List: func(ctx context.Context, c *plug.C) ([]string, error) {
			engine, err := dockerapi.New(c.Settings())
			if err != nil {
				return nil, err
			}
			defer engine.Close()
			rows, err := stacks(ctx, engine, c.Settings().StackImage())
			names := make([]string, 0, len(rows))
			for _, r := range rows {
				names = append(names, r.Name)
			}
			return names, err
		},
		Of: facts,
	}}
}

// facts are those of one stack, which may be an image of others.
func facts(ctx context.Context, c *plug.C, name string) (facts plug.Facts, err error) {
	ref, err := refOf(c, name)
	if err != nil {
		return nil, err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	img, err := engine.Image(ctx, ref)
	if dockerapi.IsNotFound(err) {
		return nil, fmt.Errorf("cannot report on %q: there is no image %s; make it: dokku stack:create %s", name, ref, name)
	}
	if err != nil {
		return nil, err
	}
	kind, err := stackimage.KindOf(ctx, engine, ref)
	if err != nil {
		return nil, err
	}
	named, err := engine.Labelled(ctx, stackimage.LabelContent+"="+img.Labels[stackimage.LabelContent])
	if err != nil {
		return nil, err
	}
	names := []string{ref}
	for _, other := range named {
		if other.ID == img.ID {
			names = other.Names
		}
	}
	l := img.Labels
	if !stackimage.IsStack(names, l) {
		l = map[string]string{}
	}
	packs, err := buildpackNames()
	if kind != stackimage.Ours {
		packs = nil
	}
	return plug.Facts{
		{Name: "image", Value: ref},
		{Name: "image id", Value: img.ID},
		{Name: "names", Value: strings.Join(names, " ")},
		{Name: "kind", Value: string(kind)},
		{Name: "from", Value: l[stackimage.LabelFrom]},
		{Name: "suite", Value: l[stackimage.LabelSuite]},
		{Name: "with", Value: strings.ReplaceAll(l[stackimage.LabelWith], ",", " ")},
		{Name: "buildpacks", Value: strings.Join(packs, " ")},
		{Name: "default", Value: fmt.Sprint(ref == c.Settings().StackImage())},
		{Name: "created", Value: img.Created.UTC().Format(time.RFC3339)},
		{Name: "mb", Value: fmt.Sprint(img.Bytes / 1e6)},
	}, errors.Join(err)
}

// buildpackNames are those of the stacks that are made now.
func buildpackNames() ([]string, error) {
	entries, err := buildpacks.ReadDir("buildpacks")
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
