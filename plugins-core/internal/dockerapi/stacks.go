package dockerapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

// ImageInfo is what a list says of an image.
type ImageInfo struct {
	ID      string
	Names   []string // repository:tag
	Labels  map[string]string
	Created time.Time
	Bytes   int64
}

// Labelled lists the images that carry a label, in the order of their names.
func (e *Engine) Labelled(ctx context.Context, label string) ([]ImageInfo, error) {
	list, err := e.cli.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
	if err != nil {
		return nil, explain("list images", err)
	}
	out := make([]ImageInfo, 0, len(list))
	for _, img := range list {
		names := slices.DeleteFunc(slices.Clone(img.RepoTags), func(name string) bool { return name == "<none>:<none>" })
		slices.Sort(names)
		out = append(out, ImageInfo{ID: img.ID, Names: names, Labels: img.Labels, Created: time.Unix(img.Created, 0), Bytes: img.Size})
	}
	slices.SortFunc(out, func(a, b ImageInfo) int { return slices.Compare(a.Names, b.Names) })
	return out, nil
}

// CheckRef tells whether ref can be the name of an image that has a tag.
func CheckRef(ref string) error {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return fmt.Errorf("cannot use %q as the name of an image: %v", ref, err)
	}
	if _, tagged := named.(reference.Tagged); !tagged || reference.FamiliarString(named) != ref {
		return fmt.Errorf("cannot use %q as the name of an image: want NAME:TAG", ref)
	}
	return nil
}

// of says of an error in the engine's messages what it was about, which was no build.
func of(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot %s: %s", what, strings.TrimPrefix(err.Error(), "cannot build the image: "))
}

// FirstFile returns the first of the paths that a container has a file or directory at, "" for none; a link is one, too.
// isDir tells which it is.
func (e *Engine) FirstFile(ctx context.Context, id string, paths ...string) (path string, isDir bool, err error) {
	for _, path := range paths {
		st, err := e.cli.ContainerStatPath(ctx, id, path)
		switch {
		case err == nil:
			return path, st.Mode.IsDir(), nil
		case !IsNotFound(err):
			return "", false, explain(fmt.Sprintf("look at %s of container %s", path, short(id)), err)
		}
	}
	return "", false, nil
}

// RemoveKind removes the containers of a kind that belong to no app of this instance: what a process that was killed has
// left. Those that are not as old as age stay.
func (e *Engine) RemoveKind(ctx context.Context, kind string, age time.Duration) error {
	list, err := e.List(ctx, "", kind)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range list {
		if time.Since(c.Created) >= age {
			errs = append(errs, e.Remove(ctx, c.ID))
		}
	}
	return errors.Join(errs...)
}
