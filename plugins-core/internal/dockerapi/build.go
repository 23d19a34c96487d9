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
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"
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
//
// The engine's own builder does it, with no program of docker's started. It makes a layer of each label, so ours go
// into one instruction at the end of a copy of the Dockerfile. What only BuildKit understands is built by docker's
// command, which brings the session that BuildKit asks for registries' passwords.
func (e *Engine) BuildDockerfile(ctx context.Context, s BuildSpec, out io.Writer) error {
	labels := e.Labels(s.App, "")
	maps.Copy(labels, s.Labels)
	root, err := os.OpenRoot(s.Dir) // no link in the tree leads out of it
	if err != nil {
		return fmt.Errorf("cannot read the source: %w", err)
	}
	defer root.Close()
	text, err := root.ReadFile(s.Dockerfile)
	if err != nil {
		return fmt.Errorf("cannot read the Dockerfile: %w", err)
	}
	if buildKit := NeedsBuildKit(string(text)); buildKit || len(s.Options) > 0 {
		if buildKit {
			s.Env = append(slices.Clone(s.Env), "DOCKER_BUILDKIT=1", "BUILDKIT_PROGRESS=plain")
		}
		if err := buildWithOptions(ctx, s, labels, out); err != nil {
			return err
		}
		return e.hasLabels(ctx, s.Tag, labels)
	}
	all := maps.Clone(labels)
	long := longLabels(labels)
	if !endsWell(string(text)) {
		long, labels = all, nil
	}
	excludes, err := prepareContext(root, string(text), labels)
	if err != nil {
		return fmt.Errorf("cannot prepare the source for the build: %w", err)
	}
	err = e.buildOnce(ctx, s, excludes, long, out)
	if lostImage(err) && ctx.Err() == nil {
		fmt.Fprintln(out, "An image whose layers this build shares was removed meanwhile. The build starts again.")
		err = e.buildOnce(ctx, s, excludes, long, out)
	}
	if err != nil {
		return err
	}
	return e.hasLabels(ctx, s.Tag, all)
}

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

// buildOnce sends the source to the engine's own builder.
func (e *Engine) buildOnce(ctx context.Context, s BuildSpec, excludes []string, long map[string]string, out io.Writer) error {
	tree, err := Pack(s.Dir, excludes)
	if err != nil {
		return err
	}
	defer tree.Close()
	resp, err := e.cli.ImageBuild(ctx, tree, build.ImageBuildOptions{
		Tags: []string{s.Tag}, Dockerfile: ourDockerfile, Remove: true, ForceRemove: true, Labels: long,
	})
	if err != nil {
		return explain("build the image", err)
	}
	defer resp.Body.Close()
	return errors.Join(copyMessages(ctx, resp.Body, out), tree.Err())
}

// lostImage tells whether the engine missed the image of an earlier step. The builder holds no image between two
// steps, and one that it took from its cache goes with the last named image that was made of it.
//
// What a command of the Dockerfile prints is no error of the engine: its failure reads "The command ... returned".
func lostImage(err error) bool {
	if err == nil {
		return false
	}
	text := strings.TrimPrefix(err.Error(), "cannot build the image: ")
	for _, lost := range []string{"unable to find image ", "No such image: ", "failed to get digest ", "failed to export image: failed to set parent "} {
		if rest, ok := strings.CutPrefix(text, lost); ok && strings.Contains(rest, "sha256:") {
			return true
		}
	}
	return false
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
func prepareContext(root *os.Root, dockerfile string, labels map[string]string) (excludes []string, err error) {
	var line strings.Builder
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&line, " %s=%s", key, quoteInstruction(labels[key]))
	}
	if line.Len() > 0 {
		dockerfile += "\nLABEL" + line.String() + "\n"
	}
	if err := replace(root, ourDockerfile, dockerfile); err != nil {
		return nil, err
	}
	ignore, err := root.ReadFile(dockerignore)
	own := ourDockerfile + "\n"
	if errors.Is(err, os.ErrNotExist) {
		own += dockerignore + "\n"
	} else if err != nil {
		return nil, err
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(ignore))
	if err != nil {
		return nil, err
	}
	text := string(ignore)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return append(patterns, "!"+ourDockerfile, "!"+dockerignore), replace(root, dockerignore, text+own)
}

const dockerignore = ".dockerignore"

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

// NeedsBuildKit tells whether a Dockerfile uses what the engine's own builder does not know: a syntax line, mounts and
// other flags of RUN, COPY and ADD, or here-documents.
func NeedsBuildKit(dockerfile string) bool {
	lines := strings.Split(dockerfile, "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if directive, ok := strings.CutPrefix(line, "#"); ok {
			name, _, found := strings.Cut(strings.TrimSpace(directive), "=")
			if found && strings.EqualFold(strings.TrimSpace(name), "syntax") {
				return true
			}
			continue
		}
		instruction, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(instruction) {
		case "RUN", "COPY", "ADD":
			if hasNewFlag(rest) || hasHereDocument(rest, lines[i+1:]) {
				return true
			}
		}
	}
	return false
}

// hasNewFlag tells whether an instruction begins with a flag that came with BuildKit.
func hasNewFlag(arguments string) bool {
	for word := range strings.FieldsSeq(arguments) {
		flag, ok := strings.CutPrefix(word, "--")
		if !ok {
			return false
		}
		switch name, _, _ := strings.Cut(flag, "="); name {
		case "mount", "network", "security", "link", "chmod", "exclude", "parents", "checksum", "keep-git-dir":
			return true
		}
	}
	return false
}

// hasHereDocument tells whether an instruction names a word after << that stands alone on a later line.
func hasHereDocument(arguments string, later []string) bool {
	_, after, ok := strings.Cut(arguments, "<<")
	if !ok {
		return false
	}
	word := strings.TrimLeft(strings.TrimPrefix(after, "-"), `"'`)
	end := strings.IndexFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
	if end >= 0 {
		word = word[:end]
	}
	return word != "" && slices.ContainsFunc(later, func(line string) bool { return strings.TrimSpace(line) == word })
}

// buildWithOptions has docker's own command build, which knows all of its options.
func buildWithOptions(ctx context.Context, s BuildSpec, labels map[string]string, out io.Writer) error {
	args := []string{dockerCommand(s.Env), "image", "build", "--tag", s.Tag, "--file", filepath.Join(s.Dir, s.Dockerfile)}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		args = append(args, "--label", key+"="+labels[key])
	}
	args = append(append(args, s.Options...), s.Dir)
	if err := proc.Run(ctx, proc.Cmd{Args: args, Env: s.Env, Stdout: out, Stderr: out}); err != nil {
		return fmt.Errorf("cannot build the image with docker's own command (options of plugins: %q): %w", strings.Join(s.Options, " "), err)
	}
	return nil
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
			if _, err := io.WriteString(out, withoutLabels(m.Stream)); err != nil {
				return err
			}
		case m.Status != "" && m.Progress == nil:
			fmt.Fprintln(out, strings.TrimSpace(m.ID+" "+m.Status))
		}
	}
}

// withoutLabels is a line of a build's output without the values of our labels, which say nothing to a reader.
func withoutLabels(line string) string {
	step, _, ok := strings.Cut(line, " : LABEL com.dokku.")
	if !ok || !strings.HasPrefix(step, "Step ") {
		return line
	}
	return step + " : LABEL of dokku" + line[len(strings.TrimRight(line, "\n")):]
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
