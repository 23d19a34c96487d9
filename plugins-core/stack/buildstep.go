package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Buildstep is the command buildstep, which turns a tree, a tar on stdin, into an image that can be run: NAME [TAG]
// (toolchain-2014, section 9.1). It needs an engine with a stack, and nothing else of a platform.
func Buildstep(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	if len(args) < 1 || len(args) > 2 {
		return &plug.UsageError{Text: "cannot build: give the name of the image, and the source as a tar on stdin\nUsage: buildstep NAME [TAG] <SOURCE.tar"}
	}
	ref := args[0]
	if len(args) == 2 {
		ref += ":" + args[1]
	} else if !strings.Contains(path.Base(ref), ":") {
		ref += ":latest"
	}
	if err := dockerapi.CheckRef(ref); err != nil {
		return &plug.UsageError{Text: err.Error()}
	}
	s := settings.Settings{Env: env}
	engine, err := dockerapi.New(s)
	if err != nil {
		return err
	}
	defer engine.Close()
	stack := s.StackImage()
	kind, err := stackimage.KindOf(ctx, engine, stack)
	switch {
	case dockerapi.IsNotFound(err):
		return fmt.Errorf("cannot build %s: there is no stack image %s; make it as root: dokku stack:create", ref, stack)
	case err != nil:
		return err
	case kind == stackimage.Bare:
		return fmt.Errorf("cannot build %s: the image %s has no program that builds", ref, stack)
	}
	// Neither the container nor the image belongs to the platform of this host.
	own := map[string]string{dockerapi.LabelInstance: ""}
	id, err := engine.Create(ctx, dockerapi.Spec{Kind: "build", Image: stack, User: "0", OpenStdin: true, Labels: own, Entrypoint: []string{},
		Cmd: []string{"/bin/bash", "-c", buildstep.Unpack + " || exit\n" + kind.Script()}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Remove(context.WithoutCancel(ctx), id)) }()
	host, err := hostTar(s)
	if err != nil {
		return err
	}
	if err := engine.PutArchive(ctx, id, "/", strings.NewReader(host)); err != nil {
		return err
	}
	status, err := engine.RunAttached(ctx, id, dockerapi.Streams{Stdin: stdin, Stdout: stdout, Stderr: stderr}, false, nil)
	if err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("cannot build %s: the build ended with status %d", ref, status)
	}
	changes, err := kind.Changes(ctx, engine, id)
	if err != nil {
		return err
	}
	_, err = engine.Commit(ctx, id, ref, []string{"/start", "web"}, append(changes, "WORKDIR /app", fmt.Sprintf("ENV PORT=%d", app.Port)), own)
	return err
}

// hostTar is what the build may know of the host: where packages come from. It does not get into the image.
func hostTar(s settings.Settings) (string, error) {
	a := newArchive()
	for _, key := range buildstep.HostVariables() {
		if v := s.Get(key, ""); v != "" {
			a.add(strings.TrimPrefix(buildstep.HostEnvDir, "/")+"/"+key, 0o644, []byte(v))
		}
	}
	return a.text()
}
