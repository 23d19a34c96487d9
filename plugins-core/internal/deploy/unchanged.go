package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// A build whose outcome is known is not repeated. What a build depends on is hashed into its key, which the record of
// the release keeps beside the image that was built. A later build with the same key takes that image, as it was before
// hooks of the release and of the deploy changed it, so that what they do to it does not pile up.

// keyVersion is changed when a key of before may stand for another image than now.
const keyVersion = "1"

// reuse looks for a release whose image is what a build of dir would make, and gives that the tag of a build. It returns
// what the record of the new release is to keep: nil, when a build cannot be recognised later. done tells that there is
// nothing to build.
func reuse(ctx context.Context, c *plug.C, a app.App, builder, dir string) (b *release.Build, done bool, err error) {
	inputs, err := c.Query(ctx, "builder-inputs", builder, a.Name, dir)
	if err != nil || inputs == "" { // a builder that has a way of its own to be fast
		return nil, false, err
	}
	if strange, err := strangers(c.Runner.Path, builder); err != nil || strange {
		return nil, false, err
	}
	key, err := buildKey(ctx, c, a, builder, dir, inputs)
	if err != nil {
		return nil, false, fmt.Errorf("cannot tell whether the source of %q has changed: %w", a.Name, err)
	}
	b = &release.Build{Key: key}
	if c.Settings().On(settings.ForceBuild) {
		return b, false, nil
	}
	list, err := release.List(a)
	if err != nil {
		return nil, false, err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return nil, false, err
	}
	defer engine.Close()
	for _, r := range release.Kept(list, release.Retain(c.Settings(), a.Name)) {
		if r.Build == nil || r.Build.Key != key {
			continue
		}
		err := engine.Tag(ctx, r.Build.Image, a.Image(BuildTag))
		if dockerapi.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		b = r.Build.Again(r)
		c.Info1("Source is unchanged since %s: its image is used again", release.Name(b.Release))
		return b, true, nil
	}
	return b, false, nil
}

// strangers tells whether a plugin that is not core's may change what a build makes, in a way that no key knows of. What
// it does to the tree is seen there, and what it does to the image later, it does to the image of before again.
//
// A builder of others is about its own builds only, and says itself what these depend on.
func strangers(path, builder string) (bool, error) {
	plugins, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot read plugin directory %q: %w", path, err)
	}
	for _, p := range plugins {
		if strings.HasPrefix(p.Name(), ".") || p.Name() == "available" || p.Name() == "enabled" {
			continue
		}
		hooks, err := os.ReadDir(filepath.Join(path, p.Name()))
		if err != nil {
			continue // it is no directory, or has no hooks for us
		}
		isCore := func(hook string) bool {
			_, core := plug.StubOf(filepath.Join(path, p.Name(), hook))
			return core
		}
		name, own := strings.CutPrefix(p.Name(), "builder-")
		own = own && (name != builder || !isCore("builder-inputs"))
		for _, h := range hooks {
			if changesBuilds(h.Name(), own) && !isCore(h.Name()) {
				return true, nil
			}
		}
	}
	return false, nil
}

// changesBuilds tells whether a hook of that name can change a build; own says that its plugin is a builder, with builds
// of its own.
func changesBuilds(hook string, own bool) bool {
	for _, prefix := range []string{"pre-build", "post-build", "docker-args-build", "docker-args-process-build"} {
		if strings.HasPrefix(hook, prefix) {
			return true
		}
	}
	return !own && strings.HasPrefix(hook, "builder-")
}

// buildKey hashes all that a build depends on: the tree, what core keeps of it and of its settings with the image, the
// options that plugins give, and what the builder says of itself.
func buildKey(ctx context.Context, c *plug.C, a app.App, builder, dir, inputs string) (string, error) {
	options, err := BuildOptions(ctx, c, a, builder)
	if err != nil {
		return "", err
	}
	labels, err := SourceLabels(c.Settings(), a, dir)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %q %q\n", keyVersion, builder, inputs, options)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(sum, "%q %q\n", key, labels[key])
	}
	if err := hashTree(sum, dir); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// hashTree hashes the names, modes, link targets and contents below dir, so that no two trees give the same bytes.
func hashTree(sum hash.Hash, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%q %v ", path, st.Mode())
		switch {
		case st.Mode().IsRegular():
			return hashFile(sum, root, path)
		case st.Mode()&fs.ModeSymlink != 0:
			target, err := root.Readlink(path)
			fmt.Fprintf(sum, "%q", target)
			return err
		}
		return nil
	})
}

func hashFile(sum hash.Hash, root *os.Root, path string) error {
	f, err := root.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	own := sha256.New()
	if _, err := io.Copy(own, f); err != nil {
		return err
	}
	sum.Write(own.Sum(nil))
	return nil
}

// Inputs prints what a build by builder depends on beside its tree, for the hook builder-inputs: words in order, and
// variables, whose values are nobody's to read.
func Inputs(c *plug.C, words []string, variables ...map[string]string) {
	sum := sha256.New()
	for _, set := range variables {
		for _, key := range slices.Sorted(maps.Keys(set)) {
			fmt.Fprintf(sum, "%q=%q\n", key, set[key])
		}
		fmt.Fprintln(sum)
	}
	fmt.Fprintf(c.Stdout, "%q %x\n", words, sum.Sum(nil))
}

// Forced takes the option --force off the call's words: the source is built, also when it is unchanged.
func Forced(c *plug.C) *plug.C {
	i := slices.Index(c.Args, "--force")
	if i < 0 {
		return c
	}
	forced := c.With(settings.ForceBuild, "1")
	forced.Args = slices.Delete(slices.Clone(c.Args), i, i+1)
	return forced
}
