package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// export writes the tree of rev, with its submodules, to dir, as `git checkout` in a fresh clone would: attributes
// for line ends and filters apply, those for archives do not (section 8.2).
//
// The objects of a push are in quarantine until its hook ends, so a clone would not see them. A scratch repository
// made of four files borrows the object directories, those in quarantine included, and no variable of the push
// reaches the programs that work in it.
func export(ctx context.Context, c *plug.C, a app.App, rev, dir string) error {
	fail := func(err error) error { return fmt.Errorf("cannot check out %s of %q: %w", rev, a.Name, err) }
	if strings.HasPrefix(rev, "-") {
		return fail(errors.New("no revision begins with a hyphen"))
	}
	gitDir := filepath.Join(dir, ".git")
	for _, sub := range []string{"objects/info", "refs"} {
		if err := os.MkdirAll(filepath.Join(gitDir, sub), 0o755); err != nil {
			return fail(err)
		}
	}
	files := map[string]string{
		"HEAD":                    "ref: refs/heads/" + defaultBranch + "\n",
		"config":                  "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[remote \"origin\"]\n\turl = " + a.Dir() + "\n[advice]\n\tdetachedHead = false\n",
		"objects/info/alternates": strings.Join(objectDirs(c, a), "\n") + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(gitDir, name), []byte(text), 0o644); err != nil {
			return fail(err)
		}
	}
	git := func(args ...string) error {
		_, err := proc.Output(ctx, proc.Cmd{Args: append([]string{"git"}, args...), Dir: dir, Env: env(c)})
		return err
	}
	if err := git("checkout", "--quiet", "--force", "--detach", rev, "--"); err != nil {
		return fail(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".gitmodules")); err == nil {
		if err := git("submodule", "--quiet", "update", "--init", "--recursive"); err != nil {
			return fail(err)
		}
	}
	return stripGit(dir)
}

// objectDirs lists the object directories of the push, or of the repository when this is no push.
func objectDirs(c *plug.C, a app.App) []string {
	var dirs []string
	if own := c.Getenv("GIT_OBJECT_DIRECTORY"); filepath.IsAbs(own) {
		dirs = append(dirs, own)
	}
	for _, alt := range filepath.SplitList(c.Getenv("GIT_ALTERNATE_OBJECT_DIRECTORIES")) {
		if filepath.IsAbs(alt) {
			dirs = append(dirs, alt)
		}
	}
	return append(dirs, a.Path("objects"))
}

// stripGit deletes every .git, directory or file, at any depth.
func stripGit(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != ".git" {
			return err
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
}
