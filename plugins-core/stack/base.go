package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/moby/go-archive/compression"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/rootfs"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
)

// baseRepository has a tag for each image that a stack was laid over and that has no other name.
const baseRepository = "dokku/stack-base"

// base is the image that ours is laid over.
type base struct {
	image string // name or id
	id    string
	kind  stackimage.Kind
	img   *dockerapi.Image
}

// base finds or makes it.
func (n *creation) base(ctx context.Context) (*base, error) {
	var ref string
	var err error
	switch n.origin {
	case fromDebian:
		ref, err = n.debian(ctx)
	case fromTar:
		ref, err = n.tarball(ctx, n.from)
	case fromURL:
		ref, err = n.download(ctx)
	case fromDir:
		ref, err = n.dockerfile(ctx)
	case fromImage:
		ref, err = n.image(ctx)
	}
	if err != nil {
		return nil, err
	}
	img, err := n.engine.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	return &base{image: ref, id: img.ID, img: img}, nil
}

// cmd is what the image runs without being told: that of an image of others stays.
func (b *base) cmd() []string {
	if b.kind != stackimage.Ours {
		return b.img.Cmd
	}
	return []string{"/bin/bash"}
}

// labels of the stack. It serves every instance on the engine, so it does not carry the label of the one that made it.
func (b *base) labels(n *creation, hash string) map[string]string {
	l := map[string]string{
		dockerapi.LabelInstance: "", stackimage.LabelName: n.ref, stackimage.LabelContent: hash, stackimage.LabelKind: string(b.kind),
		stackimage.LabelFrom: shown(n.from), stackimage.LabelBase: b.id, stackimage.LabelCertificates: b.img.Labels[stackimage.LabelCertificates],
	}
	made := b.img.Labels
	if n.renewed != nil {
		made = n.renewed
		l[stackimage.LabelFrom] = shown(made[stackimage.LabelFrom])
	}
	for _, key := range []string{stackimage.LabelSuite, stackimage.LabelWith} {
		if v := made[key]; v != "" {
			l[key] = v
		}
	}
	return l
}

func environment(certificates bool) []string {
	changes := []string{"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "ENV LANG=C.UTF-8"}
	if certificates {
		changes = append(changes, nodeCertificates)
	}
	return changes
}

// nodeCertificates has Node.js trust what everybody else in the image trusts; it brings certificates of its own.
const nodeCertificates = "ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt"

// debian is the root file system of the recipe as an image; it is made once, unless it is to be made anew.
func (n *creation) debian(ctx context.Context) (string, error) {
	if found, err := n.madeBefore(ctx); err != nil || found {
		return n.recipeRef(), err
	}
	cache := rootfs.Cache{Dir: n.Settings().CacheDir()}
	unlock, err := cache.Lock(ctx, func() { n.Info1("Another root file system is being made. Waiting...") })
	if err != nil {
		return "", err
	}
	defer unlock()
	var npm []byte
	if n.recipe.WantsNPM() && (n.refresh || !cache.Has(n.recipe)) {
		if npm, err = n.npm(ctx); err != nil {
			return "", err
		}
		if found, err := n.madeBefore(ctx); err != nil || found {
			return n.recipeRef(), err
		}
	}
	for attempt := 0; ; attempt++ {
		if n.refresh && attempt == 0 || !cache.Has(n.recipe) {
			if err := n.makeRootFS(ctx, cache, npm); err != nil {
				return "", err
			}
		}
		err := n.importKept(ctx, cache, n.recipeRef())
		var damaged *damagedError
		if !errors.As(err, &damaged) || attempt > 0 {
			return n.recipeRef(), err
		}
		n.Warn("%v; making it anew", err)
		if err := cache.Forget(n.recipe); err != nil {
			return "", err
		}
		if n.recipe.WantsNPM() && npm == nil {
			if npm, err = n.npm(ctx); err != nil {
				return "", err
			}
		}
	}
}

func (n *creation) recipeRef() string { return baseRepository + ":" + n.recipe.ID() }

// madeBefore tells whether the image of the recipe is there and is to be used.
func (n *creation) madeBefore(ctx context.Context) (bool, error) {
	if n.refresh {
		return false, nil
	}
	id, err := n.engine.ImageID(ctx, n.recipeRef())
	return id != "", err
}

// npm gets it for the recipe. When it cannot be had the recipe becomes the one with Debian's, which counts for this time
// only: the next creation asks for it again.
func (n *creation) npm(ctx context.Context) ([]byte, error) {
	archive, err := rootfs.FetchNPM(ctx, n.Settings())
	if err == nil || ctx.Err() != nil {
		return archive, context.Cause(ctx)
	}
	n.Warn("npm cannot be fetched (%v): taking Debian's, which is larger", err)
	n.recipe.DebianNPM = true
	return nil, nil
}

func (n *creation) makeRootFS(ctx context.Context, cache rootfs.Cache, npm []byte) error {
	with := strings.Join(n.recipe.Languages, ", ")
	if with == "" {
		with = "no languages"
	}
	n.Info1("Making a root file system of Debian %s with %s", n.recipe.Suite, with)
	m := rootfs.Maker{Env: n.Env, Dir: n.dir, Say: n.Verbose, NPM: npm}
	return cache.Put(n.recipe, func(out io.Writer) error { return m.Make(ctx, n.recipe, out) })
}

// damagedError says that the file of the cache is not what was written.
type damagedError struct{ error }

func (n *creation) importKept(ctx context.Context, cache rootfs.Cache, ref string) error {
	r, err := cache.Open(n.recipe)
	if err != nil {
		return err
	}
	defer r.Close()
	in := &watched{Reader: r}
	certificates := rootfs.CertificatesID(n.recipe.Certificates)
	if err := n.replacingRef(ctx, ref); err != nil {
		return err
	}
	err = n.importTar(ctx, in, ref, append(environment(certificates != ""),
		label(stackimage.LabelSuite, n.recipe.Suite), label(stackimage.LabelWith, strings.Join(n.recipe.Languages, ",")),
		label(stackimage.LabelRecipe, n.recipe.ID()), label(stackimage.LabelCertificates, certificates)))
	if in.err != nil {
		return &damagedError{fmt.Errorf("cannot read the kept root file system: %w", in.err)}
	}
	return err
}

func label(key, value string) string { return fmt.Sprintf("LABEL %s=%q", key, value) }

// importTar makes image ref of a tar. It has the name when it is whole.
func (n *creation) importTar(ctx context.Context, tar io.Reader, ref string, changes []string) error {
	n.Info1("Importing the root file system")
	return n.engine.Import(ctx, tar, ref, append(changes, `CMD ["/bin/bash"]`))
}

// watched remembers what went wrong with reading, and ends at a limit.
type watched struct {
	io.Reader
	left    int64
	limited bool
	err     error
}

func (w *watched) Read(p []byte) (int, error) {
	got, err := w.Reader.Read(p)
	if w.left -= int64(got); w.limited && w.left < 0 {
		err = errors.New("it is larger, unpacked, than DOKKU_ARCHIVE_MAX_MB allows")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return got, err
}

// importFile makes image ref of the tar in a reader, compressed or not.
func (n *creation) importFile(ctx context.Context, in io.Reader, ref, id string) error {
	limit, err := unpack.LimitsOf(n.Settings())
	if err != nil {
		return err
	}
	plain, err := compression.DecompressStream(in)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", shown(n.from), err)
	}
	defer plain.Close()
	tar := &watched{Reader: plain, left: limit.Bytes, limited: true}
	err = n.importTar(ctx, tar, ref, append(environment(false), label(stackimage.LabelRecipe, id)))
	if tar.err != nil {
		err = fmt.Errorf("cannot read %s: %w", shown(n.from), tar.err)
	}
	return err
}
