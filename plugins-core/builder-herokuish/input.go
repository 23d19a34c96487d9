package builderherokuish

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// buildEnv is a file in DOKKU_ROOT.
const buildEnv = "BUILD_ENV"

// input is what a build is told beside the source, a file each below /tmp of its container, where none of it stays: the
// app's variables as buildpacks read them, the variables of the host that tell programs where packages come from, and
// the app's list of buildpacks.
type input struct {
	vars, host, files map[string]string
	dotEnvMode        fs.FileMode
	global            bool // there are variables of all apps
}

// readInput gathers it; unpacked tells whether plugins have had an image of the unbuilt tree.
func (b *run) readInput(ctx context.Context, unpacked bool) (err error) {
	if err := migrateBuildEnv(ctx, b.c); err != nil {
		return err
	}
	b.input = input{host: deploy.HostVariables(b.c), files: map[string]string{}}
	if b.input.vars, err = b.app.MergedEnv(); err != nil {
		return err
	}
	global, err := envfile.Read(filepath.Join(b.app.Root, "ENV"))
	if err != nil {
		return err
	}
	b.input.global = len(global) > 0
	list, err := property.Own(b.c.Settings(), "buildpacks", b.app.Name, "buildpacks")
	if err != nil {
		return fmt.Errorf("cannot read the buildpacks of %q: %w", b.app.Name, err)
	}
	if list != "" {
		b.input.files[buildstep.InputPacks] = list
	}
	if b.kind != stackimage.Ours { // its programs know nothing of these files
		if list != "" {
			return fmt.Errorf("cannot build %q by its list of buildpacks: the programs of the image %s do not know it; put it into .buildpacks, or run: dokku buildpacks:clear %s", b.app.Name, b.image, b.app.Name)
		}
		return nil
	}
	if unpacked {
		return b.keepDotEnv()
	}
	return nil
}

// migrateBuildEnv moves the variables of builds that dokku 0.3 kept in a file of their own into that of all apps, where
// what is there already wins (toolchain-2014, section 12).
func migrateBuildEnv(ctx context.Context, c *plug.C) error {
	old, file := filepath.Join(c.Settings().Root(), buildEnv), filepath.Join(c.Settings().Root(), "ENV")
	if _, err := os.Stat(old); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := app.LockPath(ctx, filepath.Join(c.Settings().Root(), ".env.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	build, err := envfile.Read(old)
	if err != nil {
		return err
	}
	vars, err := envfile.Read(file)
	if err != nil {
		return err
	}
	if err := envfile.Write(file, envfile.Merge(build, vars)); err != nil {
		return fmt.Errorf("cannot move the variables of BUILD_ENV: %w", err)
	}
	c.Info1("Moved the variables of BUILD_ENV to those of all apps")
	return record.Remove(old)
}

// keepDotEnv notes what the repository's own .env is: a plugin of 2014 may have added the app's variables to that of the
// unbuilt image, and none of them is to stay in the image.
func (b *run) keepDotEnv() error {
	file := filepath.Join(b.dir, ".env")
	st, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.input.files[buildstep.InputNoDotEnv] = ""
		return nil
	case err != nil:
		return err
	case !st.Mode().IsRegular():
		return fmt.Errorf("cannot build %q: .env of the source is no regular file", b.app.Name)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	b.input.files[buildstep.InputDotEnv], b.input.dotEnvMode = string(data), st.Mode().Perm()
	return nil
}

// tar packs it for /tmp; nil when there is nothing.
func (in input) tar() (io.Reader, error) {
	if len(in.vars)+len(in.host)+len(in.files) == 0 {
		return nil, nil
	}
	var buf bytes.Buffer
	t := tar.NewWriter(&buf)
	for _, set := range []struct {
		dir   string
		files map[string]string
	}{{buildstep.EnvDir, in.vars}, {buildstep.HostEnvDir, in.host}, {buildstep.InputDir, in.files}} {
		dir := strings.TrimPrefix(set.dir, "/tmp/")
		if err := t.WriteHeader(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(set.files)) {
			text, mode := set.files[name], int64(0o644)
			if name == buildstep.InputDotEnv && set.dir == buildstep.InputDir {
				mode = int64(in.dotEnvMode)
			}
			if err := t.WriteHeader(&tar.Header{Name: dir + "/" + name, Mode: mode, Size: int64(len(text))}); err != nil {
				return nil, err
			}
			if _, err := io.WriteString(t, text); err != nil {
				return nil, err
			}
		}
	}
	return &buf, t.Close()
}
