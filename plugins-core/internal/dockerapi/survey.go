package dockerapi

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

// Name is a name of an image.
type Name struct {
	Repository, Tag string
	Image           string // id
	Ours            bool   // the image carries the label of this instance
}

// Names lists the names of images: those of a repository; with "" those of the repositories of all apps.
func (e *Engine) Names(ctx context.Context, repository string) ([]Name, error) {
	if repository == "" {
		repository = "dokku/*"
	}
	list, err := e.cli.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", repository))})
	if err != nil {
		return nil, explain("list images", err)
	}
	var out []Name
	for _, img := range list {
		for _, name := range img.RepoTags {
			i := strings.LastIndexByte(name, ':')
			if i < 0 || !strings.HasPrefix(name, strings.TrimSuffix(repository, "*")) {
				continue // an image has all its names here
			}
			out = append(out, Name{Repository: name[:i], Tag: name[i+1:], Image: img.ID, Ours: img.Labels[LabelInstance] == e.root})
		}
	}
	return out, nil
}

// Version is that of the engine.
func (e *Engine) Version(ctx context.Context) (string, error) {
	v, err := e.cli.ServerVersion(ctx)
	if err != nil {
		return "", explain("ask the docker engine about itself", err)
	}
	return fmt.Sprintf("%s, API %s, %s/%s", v.Version, v.APIVersion, v.Os, v.Arch), nil
}

// DataRoot is the directory in which the engine keeps images and containers.
func (e *Engine) DataRoot(ctx context.Context) (string, error) {
	info, err := e.cli.Info(ctx)
	if err != nil {
		return "", explain("ask the docker engine about itself", err)
	}
	return info.DockerRootDir, nil
}
