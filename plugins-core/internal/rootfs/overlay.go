package rootfs

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"time"
)

// overlayWriter writes what is laid over Debian's packages: a tar of files of root's.
type overlayWriter struct {
	*tar.Writer
	dirs map[string]bool
}

func (w *overlayWriter) dir(name string) error {
	if name == "." || w.dirs[name] {
		return nil
	}
	if err := w.dir(path.Dir(name)); err != nil {
		return err
	}
	w.dirs[name] = true
	return w.WriteHeader(&tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: time.Unix(0, 0)})
}

func (w *overlayWriter) file(name string, mode fs.FileMode, size int64, content io.Reader) error {
	if err := w.dir(path.Dir(name)); err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: int64(mode.Perm()), Size: size, ModTime: time.Unix(0, 0)}); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}

func (w *overlayWriter) bytes(name string, mode fs.FileMode, content []byte) error {
	return w.file(name, mode, int64(len(content)), bytes.NewReader(content))
}

func (w *overlayWriter) link(name, target string) error {
	if err := w.dir(path.Dir(name)); err != nil {
		return err
	}
	return w.WriteHeader(&tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeSymlink, Mode: 0o777, ModTime: time.Unix(0, 0)})
}

// existing are directories that a Debian has, with modes that are not ours to set.
func existing() map[string]bool {
	dirs := map[string]bool{}
	for _, dir := range []string{"usr", "usr/bin", "usr/lib", "usr/local", "usr/local/share"} {
		dirs[dir] = true
	}
	return dirs
}

// writeOverlay writes the file.
func (m Maker) writeOverlay(r Recipe, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := &overlayWriter{tar.NewWriter(f), existing()}
	defer func() { err = errors.Join(err, w.Close(), f.Close()) }()
	if r.WantsNPM() {
		if err := unpackNPM(w, m.NPM); err != nil {
			return err
		}
	}
	if err := errors.Join(w.dir("app"), w.dir("usr/local/share/ca-certificates")); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(r.Certificates)) {
		if err := w.bytes("usr/local/share/ca-certificates/"+name, 0o644, r.Certificates[name]); err != nil {
			return err
		}
	}
	return w.bytes(".finish", 0o644, []byte(finish))
}
