package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
	"github.com/dokku-go/dokku/plugins-core/internal/workdir"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// fromArchive deploys the source in an archive: [--archive-type TYPE] APP URL|-- [NAME [EMAIL]].
func fromArchive(ctx context.Context, c *plug.C) error {
	kind, words, given, err := word(c.Args, "--archive-type")
	if err != nil {
		return c.Usage("%v", err)
	}
	if given && !slices.Contains(unpack.Kinds(), kind) {
		return c.Usage("cannot use %q as a type of archives: the types are %s", kind, strings.Join(unpack.Kinds(), ", "))
	}
	told := kind
	if told == "" {
		told = "tar"
	}
	if err := noOptions(c, words); err != nil {
		return err
	}
	a, words, err := appAndSource(c, words, "a URL, or -- for an archive on standard input")
	if err != nil {
		return err
	}
	who, err := authorOf(c, words[1:])
	if err != nil {
		return err
	}
	ctx, stop := untilHangup(ctx, c)
	defer stop()
	in, what, err := openArchive(ctx, c, a, words[0])
	if err != nil {
		return err
	}
	defer in.Close()
	return withWorkdir(a, func(tmp string) error {
		dir := filepath.Join(tmp, "unpacked")
		if err := unpackSource(c, a, kind, dir, in); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return fmt.Errorf("cannot unpack %s for %q: %w", what, a.Name, err)
		}
		dir, err := stripTop(c, dir)
		if err != nil {
			return err
		}
		return c.Lock(ctx, a, func(c *plug.C) error {
			return deployTree(ctx, c, a, tmp, dir, who, origin{cause: "archive", kind: told, source: what, what: what})
		})
	})
}

// appAndSource reads APP SOURCE [WORD...] and returns the app and all words from the source on.
func appAndSource(c *plug.C, words []string, source string) (app.App, []string, error) {
	if len(words) == 0 {
		return app.App{}, nil, c.Usage("cannot run %s: name the app", c.Verb())
	}
	a, err := c.Find(words[0])
	if err != nil {
		return a, nil, err
	}
	if len(words) < 2 || words[1] == "" {
		return a, nil, c.Usage("cannot deploy %q: give %s", a.Name, source)
	}
	return a, words[1:], nil
}

// withWorkdir makes a directory for f, which is removed afterwards.
func withWorkdir(a app.App, f func(dir string) error) error {
	tmp, err := workdir.Make(a.Name)
	if err != nil {
		return err
	}
	return errors.Join(f(tmp.Path), tmp.Remove())
}

// openArchive opens standard input or what is at a URL; what is how it is called.
func openArchive(ctx context.Context, c *plug.C, a app.App, source string) (in io.ReadCloser, what string, err error) {
	if source != "--" {
		return download(ctx, c, a, source)
	}
	if noInput(c) {
		return nil, "", c.Usage("cannot deploy %q: give the archive on standard input", a.Name)
	}
	c.Info1("Reading an archive from standard input")
	return interruptible(ctx, c.Stdin), "an archive from standard input", nil
}

// noInput tells whether nothing can be read: a terminal is no file.
func noInput(c *plug.C) bool {
	f, ok := c.Stdin.(*os.File)
	return c.Stdin == nil || ok && term.IsTerminal(int(f.Fd()))
}

// interruptible reads from r until ctx ends, however long r has nothing.
func interruptible(ctx context.Context, r io.Reader) io.ReadCloser {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	return out
}

// unpackSource unpacks into dir, which it makes.
func unpackSource(c *plug.C, a app.App, kind, dir string, in io.Reader) error {
	limit, err := unpack.LimitsOf(c.Settings())
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return unpack.IntoAs(kind, dir, in, limit)
}

// stripTop returns the directory that is the source: dir, or the only thing in it when that is a directory, as archives
// of forges have it. Today's dokku does the same.
func stripTop(c *plug.C, dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || !entries[0].IsDir() || entries[0].Name() == ".git" {
		return dir, err
	}
	c.Verbose("Leaving out the top directory %q", entries[0].Name())
	return filepath.Join(dir, entries[0].Name()), nil
}
