package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// defaultName is the last part of source without what says how it is packed, and without the "dokku-" that names of
// repositories begin with: plugins rely on it (plugin-contract, section 5).
func defaultName(source string) string {
	name := strings.TrimRight(source, "/")
	if i := strings.LastIndexAny(name, "/:"); i >= 0 {
		name = name[i+1:]
	}
	name, _, _ = strings.Cut(name, "?")
	for _, suffix := range []string{".git", ".tar.gz", ".tgz", ".tar"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return strings.TrimPrefix(name, "dokku-")
}

func isArchive(source string) bool {
	source, _, _ = strings.Cut(source, "?")
	return strings.HasSuffix(source, ".tar.gz") || strings.HasSuffix(source, ".tgz") || strings.HasSuffix(source, ".tar")
}

// isTree tells whether source is a directory of this host that is no repository.
func isTree(source string) bool {
	if st, err := os.Stat(source); err != nil || !st.IsDir() {
		return false
	}
	for _, name := range []string{".git", "HEAD"} {
		if _, err := os.Lstat(filepath.Join(source, name)); err == nil {
			return false
		}
	}
	return true
}

// fetch makes dir, which is empty, hold the plugin at source: a repository, an archive, or a directory of this host.
func fetch(ctx context.Context, c *plug.C, source, committish, dir string) error {
	if strings.HasPrefix(source, "-") || strings.HasPrefix(committish, "-") {
		return errors.New("it begins with a hyphen")
	}
	switch {
	case (isArchive(source) || isTree(source)) && committish != "":
		return errors.New("only a repository has a --committish")
	case isArchive(source):
		return extract(ctx, c, source, dir)
	case isTree(source):
		return os.CopyFS(dir, os.DirFS(source))
	}
	if err := git(ctx, c, dir, "clone", "--quiet", "--recurse-submodules", "--", source, "."); err != nil {
		return err
	}
	if committish == "" {
		return nil
	}
	return checkout(ctx, c, dir, committish)
}

func checkout(ctx context.Context, c *plug.C, dir, committish string) error {
	return git(ctx, c, dir, "-c", "advice.detachedHead=false", "checkout", "--quiet", committish, "--")
}

// git runs git in dir. Whoever may install plugins may do so from anybody's repository on this host.
func git(ctx context.Context, c *plug.C, dir string, args ...string) error {
	config, err := os.CreateTemp("", "dokku-git-")
	if err != nil {
		return err
	}
	defer os.Remove(config.Name())
	_, err = config.WriteString("[safe]\n\tdirectory = *\n[protocol \"file\"]\n\tallow = always\n")
	if err := errors.Join(err, config.Close()); err != nil {
		return err
	}
	env := []string{"GIT_CONFIG_GLOBAL=" + config.Name(), "GIT_TERMINAL_PROMPT=0"}
	for _, kv := range c.Env {
		if !strings.HasPrefix(kv, "GIT_") {
			env = append(env, kv)
		}
	}
	_, err = proc.Output(ctx, proc.Cmd{Args: append([]string{"git"}, args...), Dir: dir, Env: env})
	return err
}

// extract takes an archive apart; when all of it is in one directory, as archives of repositories are, that is the plugin.
func extract(ctx context.Context, c *plug.C, source, dir string) error {
	limits, err := unpack.LimitsOf(c.Settings())
	if err != nil {
		return err
	}
	in, err := open(ctx, source)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := unpack.Into(dir, in, limits); err != nil {
		return err
	}
	if err := closeToOthers(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || !entries[0].IsDir() {
		return err
	}
	// Its only entry may have the name of one of its own entries.
	inner := filepath.Join(dir, ".inner")
	if err := os.Rename(filepath.Join(dir, entries[0].Name()), inner); err != nil {
		return err
	}
	files, err := os.ReadDir(inner)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Rename(filepath.Join(inner, f.Name()), filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	return os.Remove(inner)
}

// closeToOthers takes from all but the owner, who is root, the right to change the plugin: archives have modes of their own.
func closeToOthers(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&0o022 == 0 {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()&^0o022)
	})
}

// open opens an archive of this host or of another.
func open(ctx context.Context, source string) (io.ReadCloser, error) {
	if !strings.HasPrefix(source, "http://") && !strings.HasPrefix(source, "https://") {
		return os.Open(strings.TrimPrefix(source, "file://"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s answers %s", source, resp.Status)
	}
	return resp.Body, nil
}
