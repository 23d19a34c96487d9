package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/proxy"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// tarball is the root file system in a file as an image. It is known by the file's hash, so it is imported once.
func (n *creation) tarball(ctx context.Context, file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("cannot make %s: %w", n.ref, err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("cannot make %s: %s is no file", n.ref, file))
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("cannot read %s: %w", file, err)
	}
	hash := hex.EncodeToString(sum.Sum(nil))
	if n.checksum != "" && n.checksum != hash {
		return "", fmt.Errorf("cannot make %s: the SHA-256 of %s is %s, and not the one that was given", n.ref, shown(n.from), hash)
	}
	ref := tarRef(hash)
	if id, err := n.engine.ImageID(ctx, ref); err != nil || id != "" {
		return ref, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	return ref, n.importFile(ctx, f, ref, hash)
}

func tarRef(hash string) string { return baseRepository + ":" + hash[:16] }

// What a web server is waited for.
const (
	connectTime = 30 * time.Second
	silenceTime = 2 * time.Minute // in which nothing comes
)

// download is the root file system at a URL as an image. Its hash is known, so what is there already is not got again.
func (n *creation) download(ctx context.Context) (string, error) {
	ref := tarRef(n.checksum)
	if id, err := n.engine.ImageID(ctx, ref); err != nil || id != "" {
		return ref, err
	}
	n.Info1("Getting %s", shown(n.from))
	file := filepath.Join(n.dir, "download")
	if err := n.fetch(ctx, file); err != nil {
		var inURL *url.Error // has all of the URL in its text
		if errors.As(err, &inURL) {
			err = inURL.Err
		}
		return "", fmt.Errorf("cannot get %s: %w", shown(n.from), err)
	}
	return n.tarball(ctx, file)
}

func (n *creation) fetch(ctx context.Context, file string) (err error) {
	limit, err := unpack.LimitsOf(n.Settings())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.from, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{Proxy: proxy.Of(n.Settings()), DialContext: (&net.Dialer{Timeout: connectTime}).DialContext,
		TLSHandshakeTimeout: connectTime, ResponseHeaderTimeout: silenceTime}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", resp.Status)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	silence := time.AfterFunc(silenceTime, func() { cancel(fmt.Errorf("nothing came for %s", silenceTime)) })
	defer silence.Stop()
	body := &heard{Reader: io.LimitReader(resp.Body, limit.Bytes+1), hear: func() { silence.Reset(silenceTime) }}
	got, err := io.Copy(out, body)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	if got > limit.Bytes {
		return fmt.Errorf("it is larger than %d MB; the limit is %s", limit.Bytes>>20, settings.ArchiveMB)
	}
	return nil
}

// heard tells of each part that comes.
type heard struct {
	io.Reader
	hear func()
}

func (h *heard) Read(p []byte) (int, error) {
	h.hear()
	return h.Reader.Read(p)
}

// dockerfile is the image that the engine builds of a copy of the directory.
func (n *creation) dockerfile(ctx context.Context) (string, error) {
	if _, err := os.Stat(filepath.Join(n.from, "Dockerfile")); err != nil {
		return "", fmt.Errorf("cannot make %s: there is no Dockerfile in %s", n.ref, n.from)
	}
	limit, err := unpack.LimitsOf(n.Settings())
	if err != nil {
		return "", err
	}
	dir := filepath.Join(n.dir, "source")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	tree, err := dockerapi.Pack(n.from, nil)
	if err != nil {
		return "", err
	}
	defer tree.Close()
	if err := errors.Join(unpack.Into(dir, tree, limit), tree.Err()); err != nil {
		return "", fmt.Errorf("cannot copy %s: %w", n.from, err)
	}
	ref := baseRepository + ":" + hashOf("dockerfile", n.ref)[:16]
	if err := n.replacingRef(ctx, ref); err != nil {
		return "", err
	}
	spec := dockerapi.BuildSpec{Dir: dir, Dockerfile: "Dockerfile", Tag: ref, Env: n.Env,
		Labels: map[string]string{dockerapi.LabelInstance: "", stackimage.LabelRecipe: ref}}
	return ref, n.engine.BuildDockerfile(ctx, spec, n.Stdout)
}

// image is one that the engine has, or can get. Of a stack of ours it is what that was laid over, so that our part is
// renewed and not doubled.
func (n *creation) image(ctx context.Context) (string, error) {
	named, err := dockerapi.ParseRef(registryName(n.from))
	if err != nil {
		return "", err
	}
	ref := n.from
	img, err := n.engine.Image(ctx, ref)
	if dockerapi.IsNotFound(err) {
		if ref = settings.StackRef(n.from); ref != n.from {
			img, err = n.engine.Image(ctx, ref)
		}
	}
	if dockerapi.IsNotFound(err) {
		ref = named.Name
		n.Info1("Getting %s", ref)
		if err := n.engine.PullAs(ctx, named, n.Env, n.Stdout); err != nil {
			return "", err
		}
		img, err = n.engine.Image(ctx, ref)
	}
	if err != nil {
		return "", err
	}
	if parent := img.Labels[stackimage.LabelBase]; parent != "" && img.Labels[stackimage.LabelName] == settings.StackRef(ref) {
		if id, err := n.engine.ImageID(ctx, parent); err != nil || id != "" {
			n.renewed = img.Labels
			return parent, err
		}
	}
	return ref, nil
}

// registryName is the image of a registry that a word means: no registry has ours, so a plain one is a name of its own, but
// for that of the forerunner.
func registryName(word string) string {
	if word == "buildstep" {
		return settings.StackRef(word)
	}
	return word
}
