package builder

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// narrow has a build see nothing but the directory build-dir of the source: APP DIR REV.
func narrow(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	sub := property.Get(c.Settings(), pluginName, a.Name, deploy.BuildDirKey)
	if sub == "" {
		return nil
	}
	if err := keepOnly(c.Arg(1), sub); err != nil {
		return fmt.Errorf("cannot build %q from %q: %w; its build-dir is set by: dokku builder:set %s build-dir [DIRECTORY]", a.Name, sub, err, a.Name)
	}
	return nil
}

// keepOnly has dir hold what its directory sub holds, and nothing else.
func keepOnly(dir, sub string) error {
	if !filepath.IsLocal(sub) {
		return fmt.Errorf("it is no directory of the source")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	// What is on the way has to be a directory: a link could lead to what is about to be removed.
	at := ""
	for part := range strings.SplitSeq(filepath.Clean(sub), "/") {
		at = filepath.Join(at, part)
		if st, err := root.Lstat(at); err != nil || !st.IsDir() {
			return fmt.Errorf("the source has no such directory")
		}
	}
	kept := ".build-dir-" + rand.Text()
	if err := root.Rename(sub, kept); err != nil {
		return err
	}
	others, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range others {
		if e.Name() == kept {
			continue
		}
		if err := root.RemoveAll(e.Name()); err != nil {
			return err
		}
	}
	entries, err := fs.ReadDir(root.FS(), kept)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := root.Rename(filepath.Join(kept, e.Name()), e.Name()); err != nil {
			return err
		}
	}
	return root.Remove(kept)
}
