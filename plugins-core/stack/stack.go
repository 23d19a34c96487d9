// Package stack is the plugin stack: it makes the images on which apps without a Dockerfile are built and run, each a
// Debian root file system with our programs and buildpacks laid over it (toolchain-2014, section 9).
package stack

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "stack",
		Description: "makes the image on which apps without a Dockerfile are built",
		Commands: []plug.Command{
			{Name: "stack:build", Args: "[ROOTFS.tar]", Help: "Make the image on which apps are built", Run: buildStack},
		},
	}
}

//go:embed buildpacks
var buildpacks embed.FS

// labelContent is the hash of what was laid over the stack's root file system.
const labelContent = "com.dokku.stack-content"

// buildStack makes the stack image: a Debian root file system, imported once, and over it our part (the programs of
// the build and the buildpacks), renewed when it has changed.
func buildStack(ctx context.Context, c *plug.C) error {
	if len(c.Args) > 1 {
		return c.Usage("cannot make a stack of %d files: give one", len(c.Args))
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	ref := c.Settings().StackImage()
	base := baseOf(ref)
	if file := c.Arg(0); file != "" {
		if err := importBase(ctx, c, engine, file, base); err != nil {
			return err
		}
	}
	id, err := engine.ImageID(ctx, base)
	if err != nil {
		return err
	}
	if id == "" {
		return fmt.Errorf("cannot make %s: give the tar of a root file system, such as mmdebstrap makes", ref)
	}
	layer, hash, err := stackLayer()
	if err != nil {
		return err
	}
	hash = hash[:16] + "-" + strings.TrimPrefix(id, "sha256:")[:16]
	if img, err := engine.Image(ctx, ref); err == nil && img.Labels[labelContent] == hash {
		c.Info1("%s is up to date", ref)
		return nil
	}
	if err := layOver(ctx, engine, base, ref, layer, hash); err != nil {
		return err
	}
	c.Info1("Made %s", ref)
	return nil
}

// baseOf names the image of the bare root file system of stack ref.
func baseOf(ref string) string {
	name, tag, ok := strings.Cut(path.Base(ref), ":")
	if !ok {
		tag = "latest"
	}
	dir := path.Dir(ref)
	if dir == "." {
		return name + "-base:" + tag
	}
	return dir + "/" + name + "-base:" + tag
}

func importBase(ctx context.Context, c *plug.C, engine *dockerapi.Engine, file, base string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("cannot make the stack: %w", err)
	}
	defer f.Close()
	c.Info1("Importing %s", file)
	return engine.Import(ctx, f, base, []string{"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "ENV LANG=C.UTF-8", `CMD ["/bin/bash"]`})
}

func layOver(ctx context.Context, engine *dockerapi.Engine, base, ref string, layer *bytes.Buffer, hash string) (err error) {
	id, err := engine.Create(ctx, dockerapi.Spec{Kind: "build", Image: base, Cmd: []string{"/bin/true"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Remove(context.WithoutCancel(ctx), id)) }()
	if err := engine.PutArchive(ctx, id, "/", layer); err != nil {
		return err
	}
	// The stack serves every instance on the engine, so it does not carry the label of the one that made it.
	_, err = engine.Commit(ctx, id, ref, []string{"/bin/bash"}, nil, map[string]string{labelContent: hash, dockerapi.LabelInstance: ""})
	return err
}

// stackLayer is the tar of our part, and its hash. The programs are this very program under other names.
func stackLayer() (*bytes.Buffer, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return nil, "", err
	}
	var buf bytes.Buffer
	t := tar.NewWriter(&buf)
	add := func(name string, mode int64, data []byte) {
		if err == nil {
			err = t.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data))})
		}
		if err == nil {
			_, err = t.Write(data)
		}
	}
	add("build/dokku", 0o755, program)
	for _, name := range []string{"build/builder", "start", "exec"} {
		add(name, 0o755, []byte("#!/bin/sh\nexec "+buildstep.Program+" core-stack "+path.Base(name)+" \"$@\"\n"))
	}
	// A buildpack made of another's repository runs git in directories of other users.
	add("etc/gitconfig", 0o644, []byte("[safe]\n\tdirectory = *\n"))
	add("etc/ssh/ssh_known_hosts", 0o644, nil) // plugins add the keys of hosts that builds fetch from
	add("etc/dokku-stack", 0o644, []byte(buildstep.Stack+"\n"))
	walkErr := fs.WalkDir(buildpacks, "buildpacks", func(name string, d fs.DirEntry, walkErr error) error {
		if walkErr != nil || d.IsDir() {
			return walkErr
		}
		data, readErr := buildpacks.ReadFile(name)
		if readErr == nil {
			add("build/"+name, 0o755, data)
		}
		return readErr
	})
	if err = errors.Join(err, walkErr, t.Close()); err != nil {
		return nil, "", fmt.Errorf("cannot pack the stack's programs: %w", err)
	}
	sum := sha256.New()
	_, err = io.Copy(sum, bytes.NewReader(buf.Bytes()))
	return &buf, hex.EncodeToString(sum.Sum(nil)), err
}
