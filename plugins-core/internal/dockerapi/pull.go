package dockerapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Ref is the name of an image as people write it, with a tag or a digest.
type Ref struct {
	Name   string // as people write it
	Domain string // the registry
	Path   string // the repository in it
	Pinned bool   // it has a digest, so it names the same image for ever
}

// ParseRef reads the name of an image; the tag is latest when there is none. An id is no name.
func ParseRef(text string) (Ref, error) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return Ref{}, fmt.Errorf("cannot use %q as the name of an image: %w", text, err)
	}
	if strings.HasPrefix(text, "sha256:") {
		return Ref{}, fmt.Errorf("cannot use %q as the name of an image: it is an id; give the image a name with docker tag", text)
	}
	named = reference.TagNameOnly(named)
	_, pinned := named.(reference.Digested)
	return Ref{Name: reference.FamiliarString(named), Domain: reference.Domain(named), Path: reference.Path(named), Pinned: pinned}, nil
}

// Repository is the name without tag or digest.
func (r Ref) Repository() string {
	name, _, _ := strings.Cut(r.Name, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name
}

// Reserved tells whether the name is one of those that dokku gives to images itself.
func (r Ref) Reserved() bool { return r.Domain == "docker.io" && strings.HasPrefix(r.Path, "dokku/") }

// Pinned returns a name of the image ref that names the same one for ever, if it came from a registry; else its name.
func (e *Engine) Pinned(ctx context.Context, ref Ref) (string, error) {
	got, err := e.cli.ImageInspect(ctx, ref.Name)
	if err != nil {
		return "", explain("inspect image "+ref.Name, err)
	}
	i := slices.IndexFunc(got.RepoDigests, func(digest string) bool { return strings.HasPrefix(digest, ref.Repository()+"@") })
	if ref.Pinned || i < 0 {
		return ref.Name, nil
	}
	return got.RepoDigests[i], nil
}

// PullAs gets an image from its registry, with what the system user may get there: where env has a configuration of docker's command, which knows passwords of
// registries, that command does it.
func (e *Engine) PullAs(ctx context.Context, ref Ref, env []string, out io.Writer) error {
	s := settings.Settings{Env: env}
	config := s.Get("DOCKER_CONFIG", filepath.Join(s.Get("HOME", s.Root()), ".docker"))
	if _, err := os.Stat(filepath.Join(config, "config.json")); err == nil {
		args := []string{dockerCommand(env), "image", "pull", "--quiet", ref.Name}
		if _, err := proc.Output(ctx, proc.Cmd{Args: args, Env: env}); err != nil {
			return fmt.Errorf("cannot pull %s: %w", ref.Name, err)
		}
		return nil
	}
	r, err := e.cli.ImagePull(ctx, ref.Name, image.PullOptions{})
	if err != nil {
		return explain("pull "+ref.Name, err)
	}
	defer r.Close()
	return readPull(ctx, r, "pull "+ref.Name, out)
}

// readPull reads what the engine says while it gets an image, and shows the last lines of many.
func readPull(ctx context.Context, r io.Reader, what string, out io.Writer) error {
	for dec := json.NewDecoder(r); ; {
		var m jsonmessage.JSONMessage
		err := dec.Decode(&m)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("cannot %s: the engine's output ends in the middle: %w", what, err)
		case m.Error != nil:
			return fmt.Errorf("cannot %s: %s", what, strings.TrimSpace(m.Error.Message))
		case strings.HasPrefix(m.Status, "Digest: "), strings.HasPrefix(m.Status, "Status: "):
			fmt.Fprintf(out, "       %s\n", strings.TrimSpace(m.Status))
		}
	}
}
