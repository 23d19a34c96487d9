package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// keepObjects is core-pre-commit: it takes the objects of a push out of quarantine before its release becomes the
// current one. Should git die before it moves the branch, the branch can still be moved.
func keepObjects(_ context.Context, c *plug.C) error {
	from := c.Getenv("GIT_QUARANTINE_PATH")
	if !filepath.IsAbs(from) {
		return nil // no push
	}
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if err := linkObjects(from, a.Path("objects")); err != nil {
		return fmt.Errorf("cannot keep the objects of the push to %q: %w", a.Name, err)
	}
	return nil
}

// linkObjects gives every object file below from a second name below to. An index comes after its pack: git takes a
// pack for whole when there is an index.
func linkObjects(from, to string) error {
	var files []string
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(files, func(x, y string) int { return rank(x) - rank(y) })
	dirs := map[string]bool{}
	for _, file := range files {
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		dir := filepath.Dir(target)
		if !dirs[dir] {
			if err := record.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			dirs[dir] = true
		}
		if err := os.Link(file, target); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for dir := range dirs {
		if err := record.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func rank(file string) int {
	if strings.HasSuffix(file, ".idx") {
		return 1
	}
	return 0
}

// settle has the branch that was pushed say what is in service: APP REV BRANCH. A branch that another one has taken the
// place of is left alone.
func settle(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	rev, branch := c.Arg(1), c.Arg(2)
	if !isObject(rev) || branch == "" {
		return c.Usage("cannot settle the branch of %q: give commit and branch", a.Name)
	}
	before := configuredBranch(c, a)
	taken, err := property.Own(c.Settings(), "git", a.Name, taking)
	if err != nil {
		return err
	}
	switch {
	case before == branch:
	case before == "", taken == takes(rev, branch, before): // a first push died before it was kept, or git:sync brought another
		if err := setBranch(c, a, branch); err != nil {
			return err
		}
	default:
		return nil
	}
	if taken != "" {
		if err := property.Set(c.Settings(), "git", a.Name, taking, ""); err != nil {
			return err
		}
	}
	ref := "refs/heads/" + branch
	// Whoever moves this branch holds the app's lock until git has ended, and so do we now: a lock file of git's is that
	// of one who was killed.
	if err := record.Remove(a.Path(ref + ".lock")); err != nil {
		return err
	}
	now, err := readRef(a, ref)
	if err == nil && now == rev {
		return forgetSynced(c, a)
	}
	if err != nil || isSynced(c, a, now, rev) {
		return err
	}
	git := func(args ...string) error {
		_, err := proc.Output(ctx, proc.Cmd{Args: append([]string{"git"}, args...), Env: append(env(c), "GIT_DIR="+a.Dir())})
		return err
	}
	if err := git("cat-file", "-e", rev+"^{commit}"); err != nil {
		return fmt.Errorf("cannot move %s of %q to %s: the repository has no such commit any more; push it again", branch, a.Name, rev)
	}
	if err := git("update-ref", "-m", "dokku: what is in service", ref, rev); err != nil {
		return fmt.Errorf("cannot move %s of %q to %s: %w", branch, a.Name, rev, err)
	}
	c.Info1("Branch %s is at %.7s now, which is in service", branch, rev)
	return nil
}
