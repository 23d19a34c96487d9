package dockerapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/moby/go-archive"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
)

// BuildSpec says what image to build from a directory with a Dockerfile.
type BuildSpec struct {
	App, Dir, Dockerfile, Tag string
	Labels                    map[string]string
	Options                   []string // of `docker build`, given by plugins
	Env                       []string // of docker's own command, used when there are Options
}

// BuildDockerfile builds an image and copies the engine's output to out as it comes.
func (e *Engine) BuildDockerfile(ctx context.Context, s BuildSpec, out io.Writer) error {
	labels := e.Labels(s.App, "")
	maps.Copy(labels, s.Labels)
	if len(s.Options) > 0 {
		return buildWithOptions(ctx, s, labels, out)
	}
	excludes, err := dockerignore(s.Dir, s.Dockerfile)
	if err != nil {
		return err
	}
	tree, err := archive.TarWithOptions(s.Dir, &archive.TarOptions{ExcludePatterns: excludes})
	if err != nil {
		return fmt.Errorf("cannot pack the source: %w", err)
	}
	defer tree.Close()
	resp, err := e.cli.ImageBuild(ctx, tree, build.ImageBuildOptions{
		Tags: []string{s.Tag}, Dockerfile: s.Dockerfile, Labels: labels, Remove: true, ForceRemove: true,
	})
	if err != nil {
		return explain("build the image", err)
	}
	defer resp.Body.Close()
	return copyMessages(ctx, resp.Body, out)
}

// buildWithOptions has docker's own command build, which knows all of its options.
func buildWithOptions(ctx context.Context, s BuildSpec, labels map[string]string, out io.Writer) error {
	args := []string{"docker", "image", "build", "--tag", s.Tag, "--file", filepath.Join(s.Dir, s.Dockerfile)}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		args = append(args, "--label", key+"="+labels[key])
	}
	args = append(append(args, s.Options...), s.Dir)
	if err := proc.Run(ctx, proc.Cmd{Args: args, Env: s.Env, Stdout: out, Stderr: out}); err != nil {
		return fmt.Errorf("cannot build the image with the options %q of the plugins: %w", strings.Join(s.Options, " "), err)
	}
	return nil
}

// dockerignore reads the patterns of .dockerignore; what the build itself needs is never left out.
func dockerignore(dir, dockerfile string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, ".dockerignore"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read .dockerignore: %w", err)
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read .dockerignore: %w", err)
	}
	return append(patterns, "!"+dockerfile, "!.dockerignore"), nil
}

// copyMessages prints the engine's stream of messages and returns the error that it may end with.
func copyMessages(ctx context.Context, r io.Reader, out io.Writer) error {
	dec := json.NewDecoder(r)
	for {
		var m jsonmessage.JSONMessage
		err := dec.Decode(&m)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("cannot read the engine's output: %w", err)
		case m.Error != nil:
			return errors.New("cannot build the image: " + strings.TrimSpace(m.Error.Message))
		case m.Stream != "":
			if _, err := io.WriteString(out, m.Stream); err != nil {
				return err
			}
		case m.Status != "" && m.Progress == nil:
			fmt.Fprintln(out, strings.TrimSpace(m.ID+" "+m.Status))
		}
	}
}

// Import makes image ref of the tar of a root file system; changes are Dockerfile instructions.
func (e *Engine) Import(ctx context.Context, tar io.Reader, ref string, changes []string) error {
	for k, v := range e.Labels("", "") {
		if k != LabelInstance { // a stack serves every instance on the engine
			changes = append(changes, fmt.Sprintf("LABEL %s=%q", k, v))
		}
	}
	r, err := e.cli.ImageImport(ctx, image.ImportSource{Source: tar, SourceName: "-"}, ref, image.ImportOptions{Changes: changes})
	if err != nil {
		return explain("import image "+ref, err)
	}
	defer r.Close()
	return copyMessages(ctx, r, io.Discard)
}
