package builderpack

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
)

// Where things are in the container of a build.
const (
	workspace = "workspace/"
	cacheDir  = "cache/"
	orderFile = "dokku-order.toml"
)

// certificates of the host: those that an admin has added, and all that it trusts.
const (
	addedCertificates = "/usr/local/share/ca-certificates"
	certificateBundle = "/etc/ssl/certs/ca-certificates.crt"
)

// input is all that is put into a container before the lifecycle runs in it.
type input struct {
	source   *dockerapi.Source
	env      map[string]string
	order    string
	bundle   []byte
	uid, gid int
}

// write writes it as a tar, in which everything of the source belongs to the user who builds.
func (in *input) write(w io.Writer) error {
	t := tar.NewWriter(w)
	dir := func(name string, uid, gid int) error {
		return t.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755, Uid: uid, Gid: gid})
	}
	file := func(name string, data []byte) error {
		err := t.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data))})
		if err == nil {
			_, err = t.Write(data)
		}
		return err
	}
	err := errors.Join(dir("layers/", in.uid, in.gid), dir("platform/", 0, 0), dir("platform/env/", 0, 0),
		dir(cacheDir+"build/", in.uid, in.gid), dir(cacheDir+"launch/", in.uid, in.gid), dir(workspace, in.uid, in.gid))
	for _, key := range slices.Sorted(maps.Keys(in.env)) {
		if err == nil {
			err = file("platform/env/"+key, []byte(in.env[key]))
		}
	}
	if err == nil && in.order != "" {
		err = file(orderFile, []byte(in.order))
	}
	if err == nil && in.bundle != nil {
		err = file(strings.TrimPrefix(certificateBundle, "/"), in.bundle)
	}
	if err == nil {
		err = in.copySource(t)
	}
	return errors.Join(err, t.Close())
}

func (in *input) copySource(t *tar.Writer) error {
	source := tar.NewReader(in.source)
	for {
		h, err := source.Next()
		if errors.Is(err, io.EOF) {
			return in.source.Err()
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(h.Name, "./")
		if strings.Trim(name, "/") == "" || name == "." {
			continue
		}
		h.Name, h.Uid, h.Gid, h.Uname, h.Gname = workspace+name, in.uid, in.gid, "", ""
		if h.Typeflag == tar.TypeLink {
			h.Linkname = workspace + strings.TrimPrefix(h.Linkname, "./")
		}
		if err := t.WriteHeader(h); err != nil {
			return fmt.Errorf("cannot pack %q: %w", name, err)
		}
		if _, err := io.Copy(t, source); err != nil {
			return err
		}
	}
}

// readBundle is what the host trusts, when an admin has added to that: builds behind a proxy that looks into TLS need it.
// Else the image's own is as good.
func readBundle(added, bundle string) []byte {
	if found, _ := filepath.Glob(filepath.Join(added, "*.crt")); len(found) == 0 {
		return nil
	}
	data, err := os.ReadFile(bundle)
	if err != nil {
		return nil // a host without certificates trusts nobody
	}
	return data
}
