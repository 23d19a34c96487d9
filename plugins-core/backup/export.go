package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

func export(ctx context.Context, c *plug.C) error {
	if len(c.Args) > 1 {
		return c.Usage("cannot export to %d files: name one", len(c.Args))
	}
	if word := c.Arg(0); word != "-" && strings.HasPrefix(word, "-") {
		return c.Usage("cannot export a backup: unknown option %q", word)
	}
	if err := c.Admin(ctx); err != nil {
		return err
	}
	root := c.Settings().Root()
	paths, err := c.Filter(ctx, "", "backup-export", version, root)
	if err != nil {
		return fmt.Errorf("cannot export a backup: %w", err)
	}
	names, err := app.List(root)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error {
		if err := writeArchive(c, w, strings.Split(paths, "\n"), names); err != nil {
			return fmt.Errorf("cannot export a backup: %w", err)
		}
		return nil
	}
	if file := c.Arg(0); file != "" && file != "-" {
		out, err := renameio.NewPendingFile(file, renameio.WithTempDir(filepath.Dir(file)), renameio.WithStaticPermissions(0o600))
		if err != nil {
			return fmt.Errorf("cannot export a backup: %w", err)
		}
		defer out.Cleanup()
		if err := write(out); err != nil {
			return err
		}
		return out.CloseAtomicallyReplace()
	}
	return write(c.Stdout)
}

// writeArchive writes the files, the list of apps, and at last the version.
func writeArchive(c *plug.C, w io.Writer, paths, names []string) error {
	out := tar.NewWriter(w)
	done := map[string]bool{}
	for _, path := range paths {
		if path = strings.TrimRight(path, "\r"); path == "" {
			continue
		}
		if !filepath.IsAbs(path) {
			return fmt.Errorf("a plugin names %q, which is no absolute path", path)
		}
		err := filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || done[path] {
				return err
			}
			done[path] = true
			return addFile(out, path)
		})
		if errors.Is(err, fs.ErrNotExist) { // it was removed meanwhile, or a plugin names what may be there
			c.Warn("%s is not in the backup: there is no such file", path)
		} else if err != nil {
			return err
		}
	}
	apps := strings.Join(names, "\n")
	if apps != "" {
		apps += "\n"
	}
	for _, own := range [...][2]string{{versionFile, version + "\n"}, {appsFile, apps}} {
		h := &tar.Header{Name: own[0], Mode: 0o600, Size: int64(len(own[1])), Typeflag: tar.TypeReg}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.WriteString(out, own[1]); err != nil {
			return err
		}
	}
	return out.Close()
}

// addFile adds what the path leads to, if that is a file: a link would lead nowhere on another host.
func addFile(out *tar.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return err
	}
	h := &tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: int64(st.Mode().Perm()), Size: st.Size(), ModTime: st.ModTime(), Typeflag: tar.TypeReg}
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.CopyN(out, f, st.Size())
	return err
}

// exportHook names core's files, as far as they are there.
func exportHook(_ context.Context, c *plug.C) error {
	if c.Stdin != nil {
		if _, err := io.Copy(c.Stdout, c.Stdin); err != nil {
			return err
		}
	}
	root := c.Settings().Root()
	names, err := app.List(root)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	name := func(path string) {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			fmt.Fprintln(&out, path)
		}
	}
	for _, f := range hostFiles {
		name(filepath.Join(root, f.name))
	}
	for _, n := range names {
		for _, f := range slices.Concat(appFiles, certificateFiles) {
			name(app.App{Name: n, Root: root}.Path(f.name))
		}
	}
	_, err = out.WriteTo(c.Stdout)
	return err
}
