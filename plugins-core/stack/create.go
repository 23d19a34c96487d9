package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/rootfs"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
	"github.com/dokku-go/dokku/plugins-core/internal/workdir"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// containers is the kind of the containers that stacks are made in, and the name of directories for that.
const containers = "stack"

// creation is one run of stack:create.
type creation struct {
	*plug.C
	options
	engine  *dockerapi.Engine
	dir     string            // for what it takes meanwhile
	renewed map[string]string // the labels of the stack that it is made from anew
}

// create makes a stack. Whatever ends it, there is under the name the image that was there before, or the new one; what
// is left of one that was killed the next one takes away.
func create(ctx context.Context, c *plug.C) error {
	o, err := readOptions(c)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("cannot run stack:create: it has to run as root")
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	// The instance's other creations work on the same names.
	lock := c.Settings().Data("stack")
	if err := record.MkdirAll(lock, 0o755); err != nil {
		return err
	}
	unlock, err := rootfs.LockDir(ctx, lock, func() { c.Info1("Another stack is being made. Waiting...") })
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", o.ref, err)
	}
	defer unlock()
	work, err := workdir.Make(containers)
	if err != nil {
		return err
	}
	n := &creation{C: c, options: o, engine: engine, dir: work.Path}
	err = n.create(ctx)
	if err != nil && ctx.Err() == nil && !strings.HasPrefix(err.Error(), "cannot make ") {
		err = fmt.Errorf("cannot make %s: %w", o.ref, err)
	}
	return errors.Join(err, work.Remove())
}

func (n *creation) create(ctx context.Context) error {
	if err := errors.Join(n.engine.RemoveKind(ctx, containers, 0), stackimage.Sweep(ctx, n.engine)); err != nil {
		return err
	}
	old, err := n.takeable(ctx, n.ref)
	if err != nil {
		return err
	}
	b, err := n.base(ctx)
	if err != nil {
		return err
	}
	if b.kind, err = n.kindOf(ctx, b.image); err != nil {
		return err
	}
	layer, err := n.layer(ctx, b)
	if err != nil {
		return err
	}
	if old != nil && old.Comment == stackimage.MadeHere && old.Labels[stackimage.LabelContent] == layer.hash {
		n.Info1("%s is up to date", n.ref)
	} else {
		if err := n.layOver(ctx, b, layer); err != nil {
			return err
		}
		n.Info1("Made %s", n.ref)
	}
	if err := n.alias(ctx); err != nil {
		return err
	}
	return n.tidy(ctx)
}

// takeable is the image that has the name, nil for none; it has to be one that may be replaced.
func (n *creation) takeable(ctx context.Context, ref string) (*dockerapi.Image, error) {
	img, err := n.engine.Image(ctx, ref)
	if dockerapi.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !replaceable(img, ref) {
		return nil, fmt.Errorf("cannot make %s: the engine has an image of this name that was not made by stack:create; name another, or remove it: docker image rm %s", ref, ref)
	}
	return img, nil
}

// replaceable tells whether the image of that name was made by us. Those of our own name that were made before there was
// the comment have one label, and not yet that of the name: what is built on a later stack has both.
func replaceable(img *dockerapi.Image, ref string) bool {
	return img.Comment == stackimage.MadeHere || strings.HasPrefix(ref, "dokku/stack:") && img.Comment == "" &&
		img.Labels[stackimage.LabelContent] != "" && img.Labels[stackimage.LabelName] == ""
}

// kindOf is the kind of the image that was found; one without anything of a stack is made into one of ours.
func (n *creation) kindOf(ctx context.Context, ref string) (stackimage.Kind, error) {
	kind, err := stackimage.KindOf(ctx, n.engine, ref)
	if err != nil || kind != stackimage.Bare {
		return kind, err
	}
	id, err := n.engine.Create(ctx, dockerapi.Spec{Kind: containers, Image: ref, Entrypoint: []string{}, Cmd: []string{"/bin/true"}})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, n.engine.Remove(context.WithoutCancel(ctx), id)) }()
	if path, _, err := n.engine.FirstFile(ctx, id, "/bin/bash"); err != nil || path == "" {
		return "", errors.Join(err, fmt.Errorf("cannot make %s: %s has no /bin/bash, which runs builds and apps", n.ref, shown(n.from)))
	}
	return stackimage.Ours, nil
}

// layOver makes the image: the base, our part over it if it has no programs of its own, and the host's certificates if it
// does not have these.
func (n *creation) layOver(ctx context.Context, b *base, l *layer) (err error) {
	spec := dockerapi.Spec{Kind: containers, Image: b.image, Entrypoint: []string{},
		Cmd: []string{"/bin/sh", "-c", "if command -v update-ca-certificates >/dev/null; then exec update-ca-certificates >/dev/null; fi"}}
	if b.img.User != "" {
		spec.User = "0" // /start and /exec change it
	}
	id, err := n.engine.Create(ctx, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.engine.Remove(context.WithoutCancel(ctx), id)) }()
	for _, tar := range l.tars {
		if err := n.engine.PutArchive(ctx, id, "/", strings.NewReader(tar)); err != nil {
			return err
		}
	}
	if l.certify {
		status, err := n.engine.RunAttached(ctx, id, dockerapi.Streams{Stdout: n.Stderr, Stderr: n.Stderr}, false, nil)
		if err != nil {
			return err
		}
		if status != 0 {
			return fmt.Errorf("update-ca-certificates ended with status %d", status)
		}
	}
	if err := n.replacingRef(ctx, n.ref); err != nil {
		return err
	}
	_, err = n.engine.CommitWithComment(ctx, id, n.ref, stackimage.MadeHere, b.cmd(), l.changes, b.labels(n, l.hash))
	return err
}

// baseTime is how long a base is kept that no stack is made of: another instance may be about to make one.
const baseTime = time.Hour

// tidy removes what no stack is made of any more: unnamed images of ours, and bases.
func (n *creation) tidy(ctx context.Context) error {
	used := map[string]bool{}
	stacks, err := n.engine.Labelled(ctx, stackimage.LabelBase)
	if err != nil {
		return err
	}
	for _, img := range stacks {
		used[img.Labels[stackimage.LabelBase]] = true
	}
	bases, err := n.engine.Labelled(ctx, stackimage.LabelRecipe)
	if err != nil {
		return err
	}
	for _, img := range bases {
		for _, name := range img.Names {
			if strings.HasPrefix(name, baseRepository+":") && !used[img.ID] && time.Since(img.Created) > baseTime {
				if err := n.engine.RemoveImage(ctx, name); err != nil {
					return err
				}
			}
		}
	}
	return n.removeReplaced(ctx)
}

// replacing notes that an image is about to lose its name, so that it is removed however we end. A list of all unnamed
// images that look like stacks would have others' builds in it, too.
func (n *creation) replacing(id string) error {
	return record.Write(filepath.Join(n.Settings().Data("stack"), strings.TrimPrefix(id, "sha256:")), nil, 0o644)
}

// replacingRef is replacing for the image that has a name.
func (n *creation) replacingRef(ctx context.Context, ref string) error {
	id, err := n.engine.ImageID(ctx, ref)
	if err != nil || id == "" {
		return err
	}
	return n.replacing(id)
}

// removeReplaced removes those images. One that still has a name, or is in use, has its turn later; one may be what another
// was made of, so as long as any goes there are others to try.
func (n *creation) removeReplaced(ctx context.Context) error {
	for again := true; again; {
		var err error
		if again, err = n.removeSome(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (n *creation) removeSome(ctx context.Context) (some bool, err error) {
	notes, err := os.ReadDir(n.Settings().Data("stack"))
	if err != nil {
		return false, err
	}
	for _, note := range notes {
		if raw, err := hex.DecodeString(note.Name()); err != nil || len(raw) != sha256.Size {
			continue
		}
		id := "sha256:" + note.Name()
		if err := n.engine.RemoveUnnamed(ctx, id); err != nil {
			return false, err
		}
		if left, err := n.engine.ImageID(ctx, id); err != nil || left != "" {
			continue
		}
		if err := record.Remove(filepath.Join(n.Settings().Data("stack"), note.Name())); err != nil {
			return false, err
		}
		some = true
	}
	return some, nil
}

// hashOf names a content by its parts.
func hashOf(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(sum, "%d %s\n", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))[:32]
}

// alias gives the default stack the name of its forerunner, and makes the child that section 10 knows, unless these names
// are somebody else's.
func (n *creation) alias(ctx context.Context) error {
	if n.ref != (settings.Settings{}).StackImage() {
		return nil
	}
	img, err := n.engine.Image(ctx, n.ref)
	if err != nil {
		return err
	}
	former := settings.StackRef("buildstep")
	free, old, err := n.free(ctx, former, map[string]string{stackimage.LabelName: n.ref})
	if err != nil {
		return err
	}
	if free && (old == nil || old.ID != img.ID) {
		if err := n.engine.Tag(ctx, n.ref, former); err != nil {
			return err
		}
	}
	return n.child(ctx, img)
}

// free tells whether nobody else has the name, which is so when the image was made here and has the labels. It may as well
// be a stack that somebody has made under that very name.
func (n *creation) free(ctx context.Context, ref string, labels map[string]string) (bool, *dockerapi.Image, error) {
	img, err := n.engine.Image(ctx, ref)
	if dockerapi.IsNotFound(err) {
		return true, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	return madeWith(img, labels), img, nil
}

// madeWith tells whether the image was made here and has the labels.
func madeWith(img *dockerapi.Image, labels map[string]string) bool {
	made := img.Comment == stackimage.MadeHere
	for key, value := range labels {
		made = made && img.Labels[key] == value
	}
	return made
}
