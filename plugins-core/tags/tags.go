// Package tags is the plugin of the names that people give to images of apps, beside those of releases, in order to come
// back to them.
package tags

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "tags",
		Description: "gives names to images of apps and deploys them again",
		Commands: []plug.Command{
			{Name: "tags", Args: "APP", Help: "List the tags of an application's images", Run: list, Aliases: []string{"tags:list"}},
			{Name: "tags:create", Args: "APP TAG", Help: "Give the image in service a tag, so that it is kept", Run: verb(create)},
			{Name: "tags:deploy", Args: "APP TAG", Help: "Put the image of that tag in service", Run: verb(deployTag)},
			{Name: "tags:destroy", Args: "APP TAG", Help: "Take a tag away", Run: verb(destroy)},
		},
	}
}

func list(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) > 1 {
		return c.Usage("cannot use %q: too many words", c.Args[1])
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	names, err := engine.Names(ctx, a.Repository())
	if err != nil {
		return err
	}
	slices.SortFunc(names, func(x, y dockerapi.Name) int { return strings.Compare(x.Tag, y.Tag) })
	c.Info2Quiet("Image tags for %s", a.Name)
	t := tabwriter.NewWriter(c.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "REPOSITORY\tTAG\tIMAGE ID")
	for _, n := range names {
		fmt.Fprintf(t, "%s\t%s\t%.12s\n", n.Repository, n.Tag, strings.TrimPrefix(n.Image, "sha256:"))
	}
	return t.Flush()
}

// verb is what is done with one tag of an app, under its lock.
func verb(f func(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App, tag string) error) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		if len(c.Args) != 2 {
			return c.Usage("cannot use %d tags of %s: give one", len(c.Args)-1, a.Name)
		}
		tag := c.Args[1]
		if !valid(tag) {
			return fmt.Errorf("cannot use %q as a tag: use letters, digits, underscores, dots and hyphens, at most 128, and begin with none of the last two", tag)
		}
		engine, err := dockerapi.New(c.Settings())
		if err != nil {
			return err
		}
		defer engine.Close()
		return c.Lock(ctx, a, func(c *plug.C) error { return f(ctx, c, engine, a, tag) })
	}
}

// valid tells whether an image can have the tag.
func valid(tag string) bool {
	if tag == "" || len(tag) > 128 || tag[0] == '.' || tag[0] == '-' {
		return false
	}
	return !strings.ContainsFunc(tag, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.-", r)
	})
}

// internal tells whether dokku itself gives and takes the tag.
func internal(tag string) bool {
	if n, err := release.Parse(tag); err == nil && release.Name(n) == tag {
		return true
	}
	return tag == deploy.LatestTag || tag == deploy.BuildTag || dockerapi.Passing(tag)
}

func create(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App, tag string) error {
	if internal(tag) {
		return fmt.Errorf("cannot create tag %s of %s: dokku itself uses it", tag, a.Name)
	}
	id, err := engine.ImageID(ctx, a.Image(tag))
	if err != nil {
		return err
	}
	if id != "" {
		return fmt.Errorf("cannot create tag %s of %s: it exists; take it away first: dokku tags:destroy %s %s", tag, a.Name, a.Name, tag)
	}
	err = engine.Tag(ctx, a.Image(deploy.LatestTag), a.Image(tag))
	if dockerapi.IsNotFound(err) {
		return fmt.Errorf("cannot create tag %s of %s: it has no image; push its code first", tag, a.Name)
	}
	if err == nil {
		c.Info2("Added tag (%s) to %s", tag, a.Image(deploy.LatestTag))
	}
	return err
}

// deployTag makes a release of an image. What is known of where it comes from is that of the release that had it last.
func deployTag(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App, tag string) error {
	if tag == deploy.BuildTag {
		return fmt.Errorf("cannot deploy tag %s of %s: dokku itself uses it", tag, a.Name)
	}
	id, err := engine.ImageID(ctx, a.Image(tag))
	if err != nil {
		return err
	}
	if id == "" {
		return notFound(a, tag)
	}
	all, err := release.List(a)
	if err != nil {
		return err
	}
	s := deploy.Source{Tag: tag, Cause: "tag " + tag}
	if i := slices.IndexFunc(all, func(r *release.Release) bool { return r.Image == id && r.Outcome == release.Deployed }); i >= 0 {
		s.Revision = all[i].Revision
		c = c.With(deploy.BranchEnv, all[i].Branch)
	}
	if err := deploy.ReleaseAndDeploy(ctx, c, a, s); err != nil {
		return err
	}
	c.Info2("Application deployed:")
	if url := a.State("URL"); url != "" {
		c.Verbose("%s", url)
	}
	return nil
}

func destroy(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App, tag string) error {
	if internal(tag) {
		return fmt.Errorf("cannot destroy tag %s of %s: dokku itself uses it", tag, a.Name)
	}
	id, err := engine.ImageID(ctx, a.Image(tag))
	if err != nil {
		return err
	}
	if id == "" {
		return notFound(a, tag)
	}
	err = engine.RemoveImage(ctx, a.Image(tag))
	if err == nil {
		id, err = engine.ImageID(ctx, a.Image(tag))
	}
	if err == nil && id != "" {
		err = fmt.Errorf("cannot destroy tag %s of %s: a container uses its image", tag, a.Name)
	}
	if err != nil {
		return err
	}
	c.Info2("Removed tag (%s) from %s", tag, a.Repository())
	return nil
}

func notFound(a app.App, tag string) error {
	return fmt.Errorf("cannot find tag %s of %s: see dokku tags %s", tag, a.Name, a.Name)
}
