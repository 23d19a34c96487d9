package dockerapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// endsWell tells whether an instruction may be added at the end of a Dockerfile. The last line of one may go on in the
// next, and one with an escape directive has other quotes than ours.
func endsWell(dockerfile string) bool {
	last := ""
	for line := range strings.Lines(dockerfile) {
		line = strings.TrimSpace(line)
		comment, isComment := strings.CutPrefix(line, "#")
		if name, _, ok := strings.Cut(comment, "="); isComment && ok && strings.EqualFold(strings.TrimSpace(name), "escape") {
			return false
		}
		if line != "" && !isComment {
			last = line
		}
	}
	return !strings.HasSuffix(last, `\`)
}

// runClassic has the engine's own builder build. It makes a layer of each label of a request, so ours go into one
// instruction at the end of a copy of the Dockerfile.
func (b *imageBuild) runClassic(ctx context.Context) error {
	labels, long := maps.Clone(b.labels), map[string]string{}
	if endsWell(b.text) && b.request.Target == "" { // with a target the image is not of the last stage
		long = longLabels(labels)
	} else {
		labels, long = nil, labels
	}
	excludes, err := b.prepareContext(labels)
	if err != nil {
		return err
	}
	return b.twice(ctx, func(ctx context.Context) error { return b.classicOnce(ctx, excludes, long) })
}

// classicOnce sends the source to the engine's own builder.
func (b *imageBuild) classicOnce(ctx context.Context, excludes []string, labels map[string]string) error {
	tree, err := Pack(b.s.Dir, excludes)
	if err != nil {
		return err
	}
	defer tree.Close()
	o := b.request
	o.Dockerfile, o.Remove, o.ForceRemove = ourDockerfile, true, true
	o.Tags = append([]string{b.s.Tag}, o.Tags...)
	o.Labels = maps.Clone(o.Labels)
	if o.Labels == nil {
		o.Labels = map[string]string{}
	}
	maps.Copy(o.Labels, labels)
	began := time.Now()
	resp, err := b.e.cli.ImageBuild(ctx, tree, o)
	if err != nil {
		return explain("build the image", err)
	}
	defer resp.Body.Close()
	seen := &lastContainer{out: b.out}
	err = errors.Join(copyMessages(ctx, resp.Body, seen, nil), tree.Err())
	return b.e.classicFailure(ctx, err, seen.id, began, o.Memory > 0)
}

// lastContainer passes a build's output on and remembers the container of the last step, which the builder names.
type lastContainer struct {
	out io.Writer
	id  string
}

func (l *lastContainer) Write(p []byte) (int, error) {
	if _, id, ok := strings.Cut(string(p), " ---> Running in "); ok {
		l.id = strings.TrimSpace(id)
	}
	return l.out.Write(p)
}

// classicFailure says of a failed build which status its last command had, and whether memory was short.
func (e *Engine) classicFailure(ctx context.Context, err error, id string, began time.Time, bounded bool) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	f := &BuildFailure{Status: trailingNumber(err.Error(), " returned a non-zero code: "), err: err}
	if f.Status == 0 {
		return err
	}
	f.OutOfMemory = f.Status == killed || bounded && id != "" && e.ranOutOfMemory(ctx, id, began)
	return f
}

// ranOutOfMemory tells whether the kernel ended a process of a container because of its bound. The builder has removed
// the container, but the engine remembers.
func (e *Engine) ranOutOfMemory(ctx context.Context, id string, began time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	messages, errs := e.cli.Events(ctx, events.ListOptions{
		Since:   strconv.FormatInt(began.Unix()-1, 10),
		Until:   strconv.FormatInt(time.Now().Unix()+1, 10),
		Filters: filters.NewArgs(filters.Arg("event", "oom"), filters.Arg("container", id)),
	})
	select {
	case <-messages:
		return true
	case <-errs:
		return false
	}
}

// lostImage tells whether the engine missed the image of an earlier step. The builder holds no image between two
// steps, and one that it took from its cache goes with the last named image that was made of it. BuildKit holds its
// layers, but not the image of a base that it has not begun to use.
//
// What a command of the Dockerfile prints is no error of the engine: its failure is a [BuildFailure].
func lostImage(err error) bool {
	var failure *BuildFailure
	if err == nil || errors.As(err, &failure) {
		return false
	}
	text := strings.TrimPrefix(err.Error(), "cannot build the image: ")
	for _, lost := range []string{"unable to find image ", "No such image: ", "failed to get digest ", "failed to export image: failed to set parent "} {
		if rest, ok := strings.CutPrefix(text, lost); ok && strings.Contains(rest, "sha256:") {
			return true
		}
	}
	return strings.HasSuffix(text, "layer does not exist") || strings.Contains(text, ": failed to get layer sha256:")
}

// maxInstruction is less than the longest line that the engine reads in a Dockerfile.
const maxInstruction = 48 << 10

// longLabels takes labels out that would not fit in a line together with the others.
func longLabels(labels map[string]string) map[string]string {
	long, size := map[string]string{}, 0
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		size += len(key) + 2*len(labels[key])
		if size > maxInstruction {
			long[key] = labels[key]
			size -= len(key) + 2*len(labels[key])
			delete(labels, key)
		}
	}
	return long
}

// ourDockerfile is the copy of the Dockerfile that has our labels.
const ourDockerfile = ".dokku.Dockerfile"

// prepareContext adds our Dockerfile to the tree, and to what is ignored: the engine reads it and then takes it away,
// so no COPY finds it. It returns the patterns of what is not sent at all.
func (b *imageBuild) prepareContext(labels map[string]string) (excludes []string, err error) {
	var line strings.Builder
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&line, " %s=%s", key, quoteInstruction(labels[key]))
	}
	text := b.text
	if line.Len() > 0 {
		text += "\nLABEL" + line.String() + "\n"
	}
	patterns, ignore, err := b.ignored()
	if err != nil {
		return nil, err
	}
	own := ourDockerfile + "\n"
	if _, err := b.root.Lstat(dockerignore); errors.Is(err, os.ErrNotExist) {
		own += dockerignore + "\n"
	}
	if ignore != "" && !strings.HasSuffix(ignore, "\n") {
		ignore += "\n"
	}
	err = replace(b.root, ourDockerfile, text)
	if err == nil {
		err = replace(b.root, dockerignore, ignore+own)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the source for the build: %w", err)
	}
	return append(patterns, "!"+ourDockerfile, "!"+dockerignore), nil
}

// replace writes a file in place of whatever has its name.
func replace(root *os.Root, name, text string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return root.WriteFile(name, []byte(text), 0o644)
}

// quoteInstruction quotes a value for a Dockerfile, where a dollar would be expanded.
func quoteInstruction(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(s) + `"`
}

// withoutLabels is a line of a build's output without the values of our labels, which say nothing to a reader.
func withoutLabels(line string) string {
	step, _, ok := strings.Cut(line, " : LABEL com.dokku.")
	if !ok || !strings.HasPrefix(step, "Step ") {
		return line
	}
	return step + " : LABEL of dokku" + line[len(strings.TrimRight(line, "\n")):]
}
