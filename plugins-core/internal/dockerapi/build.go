package dockerapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/moby/patternmatcher/ignorefile"
)

// BuildSpec says what image to build from a directory with a Dockerfile.
type BuildSpec struct {
	App, Dir, Dockerfile, Tag string
	Labels                    map[string]string
	Options                   []string // of `docker build`, given by plugins
	Env                       []string // of docker's own command; DOCKER_BUILDKIT in it chooses the builder
	Memory                    int64    // bytes that a step may have; 0: no bound
	CPUs                      float64  // the same of processors
}

// BuildDockerfile builds an image and copies the engine's output to out as it comes.
//
// The engine does it, with no program of docker's started, either with BuildKit or with its own builder, see
// [imageBuild.choose]. What BuildKit asks its client for in the middle of a build, secrets and keys, needs a session,
// which docker's own command has; so has it options for which the engine's request has no field.
func (e *Engine) BuildDockerfile(ctx context.Context, s BuildSpec, out io.Writer) error {
	b := &imageBuild{e: e, s: s, out: out, labels: e.Labels(s.App, "")}
	maps.Copy(b.labels, s.Labels)
	root, err := os.OpenRoot(s.Dir) // no link in the tree leads out of it
	if err != nil {
		return fmt.Errorf("cannot read the source: %w", err)
	}
	defer root.Close()
	text, err := root.ReadFile(s.Dockerfile)
	if err != nil {
		return fmt.Errorf("cannot read the Dockerfile: %w", err)
	}
	b.root, b.text = root, string(text)
	var rest []string
	if b.request, rest, err = ParseBuildOptions(s.Options, s.Env); err != nil {
		return err
	}
	b.limit()
	switch b.choose(ctx, rest) {
	case ownCommand:
		err = b.runOwnCommand(ctx)
	case buildKit:
		err = b.twice(ctx, b.runBuildKit)
	case classic:
		err = b.runClassic(ctx)
	}
	if b.refusedByRegistry(err) && ctx.Err() == nil {
		fmt.Fprintln(out, "A registry wants a password: docker's own command builds, which has those of docker login.")
		err = b.runOwnCommand(ctx)
	}
	if err != nil {
		return err
	}
	return e.hasLabels(ctx, s.Tag, b.labels)
}

// imageBuild is one build.
type imageBuild struct {
	e       *Engine
	s       BuildSpec
	root    *os.Root
	text    string // of the Dockerfile
	labels  map[string]string
	request build.ImageBuildOptions // what the options of plugins ask for
	out     io.Writer
}

// limit adds the bounds of a build to the request. Options may ask for less, but not for more.
func (b *imageBuild) limit() {
	r := &b.request
	if most := b.s.Memory; most > 0 {
		if r.Memory <= 0 || r.Memory > most {
			r.Memory = most
		}
		if r.MemorySwap <= 0 || r.MemorySwap > most { // memory and swap together
			r.MemorySwap = r.Memory
		}
	}
	if b.s.CPUs == 0 {
		return
	}
	if r.CPUPeriod == 0 {
		r.CPUPeriod = cpuPeriod
	}
	if most := int64(b.s.CPUs * float64(r.CPUPeriod)); r.CPUQuota <= 0 || r.CPUQuota > most {
		r.CPUQuota = most
	}
}

// twice does a build, and does it again when the engine missed an image of an earlier step.
func (b *imageBuild) twice(ctx context.Context, once func(ctx context.Context) error) error {
	err := once(ctx)
	if lostImage(err) && ctx.Err() == nil {
		fmt.Fprintln(b.out, "An image whose layers this build shares was removed meanwhile. The build starts again.")
		err = once(ctx)
	}
	return err
}

// ignored returns the patterns of the source's .dockerignore, or of the one that belongs to this Dockerfile alone, and
// the text of that file.
func (b *imageBuild) ignored() (patterns []string, text string, err error) {
	for _, name := range []string{b.s.Dockerfile + dockerignore, dockerignore} {
		data, err := b.root.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			patterns, err = ignorefile.ReadAll(bytes.NewReader(data))
		}
		if err != nil {
			return nil, "", fmt.Errorf("cannot prepare the source for the build: %w", err)
		}
		return patterns, string(data), nil
	}
	return nil, "", nil
}

const dockerignore = ".dockerignore"

// hasLabels makes sure that an image has our labels, whatever its source did about that: they decide what is done with
// the image, and what nginx is told.
func (e *Engine) hasLabels(ctx context.Context, ref string, labels map[string]string) error {
	image, err := e.Image(ctx, ref)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if got, ok := image.Labels[key]; !ok || got != labels[key] {
			return fmt.Errorf("cannot use the image: its Dockerfile has put something else in place of the label %s; remove what does", key)
		}
	}
	return nil
}

// copyMessages prints the engine's stream of messages and returns the error that it may end with. trace, if given, gets
// BuildKit's records.
func copyMessages(ctx context.Context, r io.Reader, out io.Writer, trace func(record []byte) error) error {
	dec := json.NewDecoder(r)
	traced := false
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
		case m.ID == traceID && m.Aux != nil && trace != nil:
			traced = true
			var record []byte
			if err := json.Unmarshal(*m.Aux, &record); err != nil {
				return fmt.Errorf("cannot read the engine's output: %w", err)
			}
			if err := trace(record); err != nil {
				return err
			}
		case m.Stream != "" && !traced: // one behind records only names the image
			if _, err := io.WriteString(out, withoutLabels(m.Stream)); err != nil {
				return err
			}
		case m.Status != "" && m.Progress == nil:
			fmt.Fprintln(out, strings.TrimSpace(m.ID+" "+m.Status))
		}
	}
}

// traceID is the id of the engine's messages that hold a record of BuildKit's.
const traceID = "moby.buildkit.trace"

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
	return of("import image "+ref, copyMessages(ctx, r, io.Discard, nil))
}
