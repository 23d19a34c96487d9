package dockerapi

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/client"
	"github.com/moby/go-archive/compression"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Load takes an image out of the archive that `docker save` makes and gives it the name ref, which has to be in there. What
// else is in the archive is passed over: the engine would give each image the name that the archive says, also one that
// belongs to somebody else. limit is how many bytes the archive may have.
func (e *Engine) Load(ctx context.Context, archive io.ReadCloser, ref Ref, limit int64) error {
	out, in := io.Pipe()
	filtered := make(chan error, 1)
	go func() {
		err := onlyImage(archive, in, ref, limit)
		in.CloseWithError(err)
		filtered <- err
	}()
	what := "load " + ref.Name
	resp, err := e.cli.ImageLoad(ctx, out, client.ImageLoadWithQuiet(true))
	out.CloseWithError(errors.New("the engine takes no more")) // so that the other side ends
	if err == nil {
		defer resp.Body.Close()
		err = readPull(ctx, resp.Body, what, io.Discard)
	} else {
		err = explain(what, err)
	}
	if err != nil {
		archive.Close() // nobody waits for the rest
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var own *archiveError
	if reason := <-filtered; errors.As(reason, &own) {
		return fmt.Errorf("cannot %s: %w", what, reason)
	}
	return err
}

// archiveError is what is wrong with an archive of images.
type archiveError struct{ text string }

func (e *archiveError) Error() string { return e.text }

// The files by which an archive says what its images are called: for today's engines, for older ones, and for those that
// keep images otherwise. The first is enough for all.
const (
	manifestFile = "manifest.json"
	maxManifest  = 4 << 20
)

func namesImages(name string) bool {
	return slices.Contains([]string{"repositories", "index.json", "oci-layout"}, name)
}

// onlyImage copies an archive with one image of it; what it is called comes last.
func onlyImage(r io.Reader, w io.Writer, ref Ref, limit int64) error {
	plain, err := compression.DecompressStream(r)
	if err != nil {
		return &archiveError{"it is no archive of docker save: " + err.Error()}
	}
	defer plain.Close()
	in, out := tar.NewReader(plain), tar.NewWriter(w)
	var manifest []byte
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return &archiveError{"it is no archive of docker save: " + err.Error()}
		}
		name := path.Clean(h.Name)
		if limit -= h.Size; limit < 0 {
			return &archiveError{"the archive has more than the limit; it is " + settings.ArchiveMB}
		}
		switch {
		case name == manifestFile:
			if manifest, err = io.ReadAll(io.LimitReader(in, maxManifest)); err != nil {
				return &archiveError{"the archive is cut off"}
			}
		case !namesImages(name):
			if err := out.WriteHeader(h); err != nil {
				return err
			}
			if n, err := io.Copy(out, in); err != nil && n < h.Size && errors.Is(err, io.ErrUnexpectedEOF) {
				return &archiveError{"the archive is cut off"}
			} else if err != nil {
				return err
			}
		}
	}
	manifest, err = namedOnly(manifest, ref)
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: manifestFile, Mode: 0o644, Size: int64(len(manifest))}); err != nil {
		return err
	}
	if _, err := out.Write(manifest); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(plain, 1<<20)) // the padding of who sends it
	return err
}

// savedImage is an entry of manifest.json. Of what is not in it nothing passes: the engine reads names of fields in capital
// and small letters, and one that is there twice could say something else to it than to us.
type savedImage struct {
	Config       string
	RepoTags     []string
	Layers       []string
	Parent       string          `json:",omitempty"`
	LayerSources json.RawMessage `json:",omitempty"`
}

// namedOnly is a manifest.json with the image of that name alone, under that name alone.
func namedOnly(manifest []byte, ref Ref) ([]byte, error) {
	if manifest == nil {
		return nil, &archiveError{"there is no " + manifestFile + " in it: it is no archive of docker save, or it is cut off"}
	}
	var images []savedImage
	if err := json.Unmarshal(manifest, &images); err != nil {
		return nil, &archiveError{"its " + manifestFile + " cannot be read: " + err.Error()}
	}
	var found []string
	for _, image := range images {
		for _, tag := range image.RepoTags {
			named, err := ParseRef(tag)
			if err == nil && named == ref {
				image.RepoTags = []string{ref.Name}
				return json.Marshal([]savedImage{image})
			}
			found = append(found, fmt.Sprintf("%.100q", tag))
		}
	}
	if len(found) > 5 {
		found = append(found[:5], "...")
	}
	if len(found) == 0 {
		return nil, &archiveError{"the archive has no image with a name: give docker save a name, not an id"}
	}
	return nil, &archiveError{fmt.Sprintf("the archive has no such image, but %s", strings.Join(found, ", "))}
}
