package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// An image becomes a tree with a Dockerfile of one line, as today's dokku has it, and not an app's image by itself: so
// plugins see a source and a build as ever, a rebuild makes the same again, and what goes beside the Dockerfile, such as
// app.json and CHECKS, counts. It costs a layer without files.

// imageCall is a call of git:from-image or git:load-image: APP IMAGE [NAME [EMAIL]].
type imageCall struct {
	app      app.App
	ref      dockerapi.Ref
	who      author
	buildDir string
	force    bool
}

func imageWords(ctx context.Context, c *plug.C) (*imageCall, error) {
	call := &imageCall{}
	var err error
	words := c.Args
	if call.buildDir, words, _, err = word(words, "--build-dir"); err != nil {
		return nil, c.Usage("%v", err)
	}
	if c.Verb() == "git:from-image" {
		words, call.force = flagged(words, "--force")
	}
	if err := noOptions(c, words); err != nil {
		return nil, err
	}
	if call.app, words, err = appAndSource(c, words, "the name of an image"); err != nil {
		return nil, err
	}
	if call.ref, err = dockerapi.ParseRef(words[0]); err != nil {
		return nil, err
	}
	if call.who, err = authorOf(c, words[1:]); err != nil {
		return nil, err
	}
	if call.buildDir == "" {
		return call, nil
	}
	if err := c.Admin(ctx); err != nil { // it may be any directory of the host
		return nil, err
	}
	if st, err := os.Stat(call.buildDir); err != nil || !filepath.IsAbs(call.buildDir) || !st.IsDir() {
		return nil, fmt.Errorf("cannot use %q as the build directory: give the path of a directory of this host", call.buildDir)
	}
	return call, nil
}

// fromImage deploys an image that the engine has, or that a registry has.
func fromImage(ctx context.Context, c *plug.C) error {
	call, err := imageWords(ctx, c)
	if err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	ctx, stop := untilHangup(ctx, c)
	defer stop()
	if err := mayUse(ctx, c, call); err != nil {
		return err
	}
	id, err := engine.ImageID(ctx, call.ref.Name)
	if err != nil {
		return err
	}
	switch {
	case id == "" || call.force:
		if call.ref.Reserved() { // what a registry has under the name of a stack or an app would take its place
			if err := c.Admin(ctx); err != nil {
				return err
			}
		}
		if err := pull(ctx, c, engine, call.ref); err != nil {
			return err
		}
	default:
		c.Info1("The engine has %s", call.ref.Name)
	}
	return deployImage(ctx, c, engine, call)
}

func pull(ctx context.Context, c *plug.C, engine *dockerapi.Engine, ref dockerapi.Ref) error {
	timeout, err := fetchTimeout(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("cannot pull %s: it took more than %s; the limit is %s", ref.Name, timeout, settings.FetchTimeout))
	defer cancel()
	c.Info1("Pulling %s", ref.Name)
	err = engine.PullAs(ctx, ref, c.Env, c.Stdout)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// loadImage deploys the image of an archive on standard input, as docker save makes it.
func loadImage(ctx context.Context, c *plug.C) error {
	call, err := imageWords(ctx, c)
	if err != nil {
		return err
	}
	if noInput(c) {
		return c.Usage("cannot deploy %q: give what docker save prints on standard input", call.app.Name)
	}
	limit, err := unpack.LimitsOf(c.Settings())
	if err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	ctx, stop := untilHangup(ctx, c)
	defer stop()
	before, err := mayName(ctx, c, engine, call)
	if err != nil {
		return err
	}
	in := interruptible(ctx, c.Stdin)
	defer in.Close()
	c.Info1("Loading %s from standard input", call.ref.Name)
	err = engine.Load(ctx, in, call.ref, limit.Bytes)
	if err == nil {
		err = deployImage(ctx, c, engine, call)
	}
	kept := context.WithoutCancel(ctx)
	if err != nil { // also of an archive that broke off: the engine may have had all of the image by then
		return errors.Join(err, putBack(kept, engine, call.ref.Name, before))
	}
	if err := property.Set(c.Settings(), "git", call.app.Name, loadedImage, call.ref.Name); err != nil {
		return fmt.Errorf("cannot keep under which name images are loaded for %q: %w", call.app.Name, err)
	}
	if before == "" {
		return nil
	}
	return engine.RemoveUnnamed(kept, before)
}

// deployImage deploys an image that the engine has.
func deployImage(ctx context.Context, c *plug.C, engine *dockerapi.Engine, call *imageCall) error {
	a, ref := call.app, call.ref
	image, err := engine.Image(ctx, ref.Name)
	if err != nil {
		return err
	}
	// The code of another app is not everybody's.
	if owner := image.Labels[dockerapi.LabelApp]; owner != "" && owner != a.Name && image.Labels[dockerapi.LabelInstance] == c.Settings().Root() {
		if err := c.Admin(ctx); err != nil {
			return errors.Join(fmt.Errorf("cannot deploy %q: %s is an image of the app %s", a.Name, ref.Name, owner), err)
		}
	}
	from, err := engine.Pinned(ctx, ref)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("# Made by dokku of the image %s\nFROM %s\n", image.ID, from)
	return withWorkdir(a, func(tmp string) error {
		dir := filepath.Join(tmp, "image")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if call.buildDir != "" {
			if err := copyBuildDir(c, call.buildDir, dir); err != nil {
				return fmt.Errorf("cannot use %q as the build directory: %w", call.buildDir, err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
			return err
		}
		what := fmt.Sprintf("image %s, %.19s", ref.Name, image.ID)
		return c.Lock(ctx, a, func(c *plug.C) error {
			return deployTree(ctx, c, a, tmp, dir, call.who, origin{cause: "image", kind: imageKind, source: ref.Name, what: what})
		})
	})
}

// copyBuildDir copies what goes beside the Dockerfile.
func copyBuildDir(c *plug.C, from, to string) error {
	limit, err := unpack.LimitsOf(c.Settings())
	if err != nil {
		return err
	}
	tree, err := dockerapi.Pack(from, nil)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := errors.Join(unpack.IntoAs("tar", to, tree, limit), tree.Err()); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(to, "Dockerfile")); err == nil {
		return errors.New("it has a Dockerfile, and the image is to be deployed as it is; deploy the directory instead: tar -C DIR -c . | dokku git:from-archive APP --")
	}
	return nil
}
