package dockerapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/docker/docker/api/types/build"

	"github.com/dokku-go/dokku/plugins-core/internal/buildlog"
)

// runBuildKit has the engine's BuildKit build. It gets labels with the request and makes no layer of them.
func (b *imageBuild) runBuildKit(ctx context.Context) error {
	patterns, _, err := b.ignored()
	if err != nil {
		return err
	}
	if b.unheeded() {
		fmt.Fprintln(b.out, " !     This Dockerfile needs BuildKit, which does not hold its steps to bounds of memory, processors and the like")
	}
	tree, err := packAsRoot(b.s.Dir, append(patterns, "!"+b.s.Dockerfile))
	if err != nil {
		return err
	}
	defer tree.Close()
	o := b.request
	o.Version, o.BuildID, o.Dockerfile = build.BuilderBuildKit, "dokku-"+rand.Text(), b.s.Dockerfile
	o.Tags = append([]string{b.s.Tag}, o.Tags...)
	o.Labels = maps.Clone(b.labels)
	for key, value := range b.request.Labels {
		if _, ours := b.labels[key]; !ours {
			o.Labels[key] = value
		}
	}
	defer b.cancelWith(ctx, o.BuildID)()
	resp, err := b.e.cli.ImageBuild(ctx, tree, o)
	if err != nil {
		return explain("build the image", err)
	}
	defer resp.Body.Close()
	printer := buildlog.NewPrinter(b.out)
	err = errors.Join(copyMessages(ctx, resp.Body, b.out, printer.Print), tree.Err())
	if err == nil || ctx.Err() != nil {
		return err
	}
	return kitFailure(err, printer)
}

// cancelWith has the engine give up a build when ctx ends. The request ends with ctx too, but the engine may be reading
// the source and not notice.
func (b *imageBuild) cancelWith(ctx context.Context, id string) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = b.e.cli.BuildCancel(ctx, id)
	})
}

// kitFailure says which step has failed, and how.
func kitFailure(err error, printer *buildlog.Printer) error {
	name, text, printErr := printer.Failed()
	if printErr != nil {
		return printErr
	}
	if name == "" || text == "" {
		return explainRegistry(err)
	}
	status := trailingNumber(text, "exit code: ")
	if status == 0 {
		return explainRegistry(fmt.Errorf("%w (in %s)", err, name))
	}
	return &BuildFailure{Status: status, OutOfMemory: status == killed,
		err: fmt.Errorf("cannot build the image: %s ended with status %d", name, status)}
}

// explainRegistry adds what to do when a build did not reach a registry. BuildKit asks one for the image of a syntax
// line, and for each base that this host does not have.
func explainRegistry(err error) error {
	text := err.Error()
	if !strings.Contains(text, "failed to do request: ") && !strings.Contains(text, "failed to authorize") && !strings.Contains(text, "pull access denied") {
		return err
	}
	if strings.Contains(text, "gateway.v0") || strings.Contains(text, "resolve image config for") {
		return fmt.Errorf("%w; the syntax line of the Dockerfile names an image of a registry, which has to be reachable: remove the line if you can do without", err)
	}
	return fmt.Errorf("%w; an image that the Dockerfile starts from is not on this host, and its registry does not give it", err)
}
