package stack

import (
	"archive/tar"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/rootfs"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
)

//go:embed buildpacks
var buildpacks embed.FS

// layer is what is laid over a base.
type layer struct {
	hash    string   // of all that the stack is made of
	tars    []string // to be unpacked, in this order
	changes []string // of the image's configuration
	certify bool     // there are certificates among them, which a program of the image has to add
}

// layer gathers what the base lacks: of a base without programs of its own ours and the buildpacks, of any base the
// certificates that the host trusts.
func (n *creation) layer(ctx context.Context, b *base) (*layer, error) {
	certificates := n.recipe.Certificates
	if n.origin != fromDebian {
		var err error
		if certificates, err = rootfs.HostCertificates(rootfs.CertificatesDir); err != nil {
			return nil, err
		}
	}
	l := &layer{}
	id := rootfs.CertificatesID(certificates)
	if id != "" {
		l.changes = append(l.changes, nodeCertificates)
	}
	if id != b.img.Labels[stackimage.LabelCertificates] && id != "" {
		l.certify = true
		text, err := certificateTar(certificates)
		if err != nil {
			return nil, err
		}
		l.tars = append(l.tars, text)
	}
	if b.kind == stackimage.Ours {
		own, err := n.settled(ctx, b)
		if err != nil {
			return nil, err
		}
		text, err := programTar(own)
		if err != nil {
			return nil, fmt.Errorf("cannot pack the stack's programs: %w", err)
		}
		l.tars = append(l.tars, text)
	}
	l.hash = hashOf(append(slices.Clone(l.tars), b.id, string(b.kind), n.ref, id)...)
	return l, nil
}

// archive is a tar of files of root's in memory.
type archive struct {
	*tar.Writer
	buf bytes.Buffer
	err error
}

func newArchive() *archive {
	a := &archive{}
	a.Writer = tar.NewWriter(&a.buf)
	return a
}

func (a *archive) add(name string, mode int64, data []byte) {
	a.header(&tar.Header{Name: name, Mode: mode, Size: int64(len(data))})
	if a.err == nil {
		_, a.err = a.Write(data)
	}
}

func (a *archive) header(h *tar.Header) {
	if a.err == nil {
		a.err = a.WriteHeader(h)
	}
}

// text ends the archive and returns it.
func (a *archive) text() (string, error) {
	err := errors.Join(a.err, a.Close())
	return a.buf.String(), err
}

func certificateTar(certificates map[string][]byte) (string, error) {
	a := newArchive()
	for _, name := range slices.Sorted(maps.Keys(certificates)) {
		a.add(strings.TrimPrefix(path.Join(rootfs.CertificatesDir, name), "/"), 0o644, certificates[name])
	}
	return a.text()
}

// The files of others' programs that a stack needs something in.
const (
	gitConfig  = "etc/gitconfig"
	knownHosts = "etc/ssh/ssh_known_hosts"
)

// settled reads those of them that the base has with something in them: they stay.
func (n *creation) settled(ctx context.Context, b *base) (files map[string]string, err error) {
	files = map[string]string{}
	if n.origin == fromDebian {
		return files, nil // it has none
	}
	id, err := n.engine.Create(ctx, dockerapi.Spec{Kind: containers, Image: b.image, Entrypoint: []string{}, Cmd: []string{"/bin/true"}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.engine.Remove(context.WithoutCancel(ctx), id)) }()
	for _, name := range []string{gitConfig, knownHosts} {
		data, err := n.engine.CopyFrom(ctx, id, "/"+name, 1<<20)
		switch {
		case dockerapi.IsNotFound(err):
		case err != nil:
			return nil, err
		case len(bytes.TrimSpace(data)) > 0:
			files[name] = string(data)
		}
	}
	return files, nil
}

// A buildpack made of another's repository runs git in directories of other users.
const safeDirectory = "[safe]\n\tdirectory = *\n"

// programTar has the programs of containers, which are this very program under other names, and the buildpacks. settled
// are files that the base has.
func programTar(settled map[string]string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return "", err
	}
	a := newArchive()
	a.add("build/dokku", 0o755, program)
	programs := buildstep.Programs()
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		a.add(name, 0o755, []byte("#!/bin/sh\nexec "+buildstep.Program+" core-stack "+programs[name]+" \"$@\"\n"))
	}
	a.header(&tar.Header{Name: "app/", Typeflag: tar.TypeDir, Mode: 0o755, Uid: rootfs.UserID, Gid: rootfs.UserID})
	if git := settled[gitConfig]; !strings.Contains(git, safeDirectory) {
		if git != "" && !strings.HasSuffix(git, "\n") {
			git += "\n"
		}
		a.add(gitConfig, 0o644, []byte(git+safeDirectory))
	}
	if settled[knownHosts] == "" {
		a.add(knownHosts, 0o644, nil) // plugins add the keys of hosts that builds fetch from
	}
	a.add("etc/dokku-stack", 0o644, []byte(buildstep.Stack+"\n"))
	err = fs.WalkDir(buildpacks, "buildpacks", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := buildpacks.ReadFile(name)
		if err == nil {
			a.add("build/"+name, 0o755, data)
		}
		return err
	})
	a.err = errors.Join(a.err, err)
	return a.text()
}
