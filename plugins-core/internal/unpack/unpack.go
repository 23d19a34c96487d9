// Package unpack takes archives of source code apart: tar, compressed or not, and zip. Whatever an archive says, nothing
// outside the directory is written or linked to, nothing but files, directories and links is made, and it ends at a limit.
package unpack

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/go-archive/compression"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Limits are the most that an archive may hold.
type Limits struct {
	Bytes   int64
	Entries int
}

// LimitsOf reads the settings.
func LimitsOf(s settings.Settings) (Limits, error) {
	mb, err := s.Int(settings.ArchiveMB, 4096)
	if err != nil {
		return Limits{}, err
	}
	files, err := s.Int(settings.ArchiveFiles, 500000)
	return Limits{Bytes: int64(mb) << 20, Entries: files}, err
}

// entry is one of an archive, of whatever kind.
type entry struct {
	name, link string // link is where a link leads
	hard       bool
	mode       fs.FileMode
	modified   time.Time
	size       int64
	open       func() (io.ReadCloser, error)
}

type unpacker struct {
	root  *os.Root
	left  Limits
	limit Limits
	links []string
}

// Into unpacks the archive into dir, which is there and empty. Its content says what kind of archive it is.
func Into(dir string, archive io.Reader, limit Limits) error { return IntoAs("", dir, archive, limit) }

// IntoAs is Into for an archive that has to be of that kind, one of [Kinds]; "" is any.
func IntoAs(kind, dir string, archive io.Reader, limit Limits) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	u := &unpacker{root: root, left: limit, limit: limit}
	in := bufio.NewReader(archive)
	head, err := in.Peek(4)
	if len(head) == 0 {
		if !errors.Is(err, io.EOF) {
			return err
		}
		return errors.New("it is empty")
	}
	isZip := bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
	if kind == "zip" && !isZip || kind != "" && kind != "zip" && isZip || kind == "tar.gz" && !bytes.HasPrefix(head, []byte("\x1f\x8b")) {
		return fmt.Errorf("it is no %s archive", kind)
	}
	if isZip {
		err = u.zip(dir, in)
	} else {
		err = u.tar(in)
	}
	if err == nil {
		err = u.checkLinks()
	}
	return err
}

// Kinds are the words for kinds of archives. A tar may be compressed, a tar.gz is.
func Kinds() []string { return []string{"tar", "tar.gz", "zip"} }

func (u *unpacker) tar(in *bufio.Reader) error {
	plain, err := decompress(in)
	if err != nil {
		return err
	}
	defer plain.Close()
	end := &endWatch{r: plain}
	archive := tar.NewReader(end)
	for first := true; ; first = false {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			if first {
				return errors.New("it is empty, or no archive")
			}
			return u.finish(end)
		}
		if first && (errors.Is(err, tar.ErrHeader) || end.whole && end.bytes < 512) {
			return errors.New("it is no archive that is known: tar, tar.gz or zip")
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return errCut
		}
		if err != nil {
			return err
		}
		e := entry{name: h.Name, mode: h.FileInfo().Mode(), modified: h.ModTime, size: h.Size, link: h.Linkname, hard: h.Typeflag == tar.TypeLink,
			open: func() (io.ReadCloser, error) { return io.NopCloser(archive), nil }}
		if h.Typeflag == tar.TypeXGlobalHeader { // git's word on the commit
			continue
		}
		err = u.add(e)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return errCut
		}
		if err != nil {
			return err
		}
	}
}

// errCut says that an archive does not come to its end: a connection was cut, say.
var errCut = errors.New("it is cut off: its end is missing")

// decompress is what is compressed in a stream. gzip is left to no program of the host's, whose word on one that is cut
// off would be another.
func decompress(in *bufio.Reader) (io.ReadCloser, error) {
	if head, _ := in.Peek(2); string(head) == "\x1f\x8b" {
		return gzip.NewReader(in)
	}
	return compression.DecompressStream(in)
}

// endWatch counts the zeros that a stream ends with.
type endWatch struct {
	r            io.Reader
	zeros, bytes int64
	whole        bool // the stream came to an end of its own
}

func (e *endWatch) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.bytes += int64(n)
	e.whole = errors.Is(err, io.EOF)
	if tail := n - len(bytes.TrimRight(p[:n], "\x00")); tail < n {
		e.zeros = int64(tail)
	} else {
		e.zeros += int64(n)
	}
	return n, err
}

// finish reads a tar to its end. One that was cut between two files looks whole but for the two empty blocks that a tar
// ends with. What compression says of the whole is known only behind them, and a sender may have more to send.
func (u *unpacker) finish(end *endWatch) error {
	if end.zeros < 1024 {
		return errCut
	}
	n, err := io.Copy(io.Discard, io.LimitReader(end.r, u.left.Bytes+1))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	if err == nil && n > u.left.Bytes {
		return u.tooLarge()
	}
	return err
}

// zip reads from a file, since the list of what there is stands at a zip's end.
func (u *unpacker) zip(dir string, in io.Reader) error {
	spool, err := os.CreateTemp(filepath.Dir(dir), "archive-")
	if err != nil {
		return err
	}
	defer os.Remove(spool.Name())
	defer spool.Close()
	size, err := io.Copy(spool, io.LimitReader(in, u.limit.Bytes+1))
	if err != nil {
		return err
	}
	if size > u.limit.Bytes {
		return u.tooLarge()
	}
	archive, err := zip.NewReader(spool, size)
	if err != nil {
		return err
	}
	for _, f := range archive.File {
		e := entry{name: f.Name, mode: f.Mode(), modified: f.Modified, size: int64(f.UncompressedSize64), open: f.Open}
		if e.mode&fs.ModeSymlink != 0 {
			if e.link, err = readLink(f); err != nil {
				return fmt.Errorf("%q: %w", f.Name, err)
			}
		}
		if err := u.add(e); err != nil {
			return err
		}
	}
	return nil
}

func readLink(f *zip.File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, 4096))
	return string(text), err
}

func (u *unpacker) tooLarge() error {
	return fmt.Errorf("it has more than %d MB; the limit is %s", u.limit.Bytes>>20, settings.ArchiveMB)
}

// add makes the entry.
func (u *unpacker) add(e entry) error {
	if u.left.Entries--; u.left.Entries < 0 {
		return fmt.Errorf("it has more than %d entries; the limit is %s", u.limit.Entries, settings.ArchiveFiles)
	}
	name := path.Clean(e.name)
	if !filepath.IsLocal(name) || strings.ContainsRune(name, 0) {
		return fmt.Errorf("%q: it is not inside the archive", e.name)
	}
	if name == "." {
		return nil
	}
	if err := u.make(name, e); err != nil {
		return fmt.Errorf("%q: %w", e.name, err)
	}
	return nil
}

func (u *unpacker) make(name string, e entry) error {
	perm := e.mode.Perm() | 0o600 // whoever else it belongs to, we have to remove it again
	if e.mode.IsDir() && !e.hard {
		if err := u.root.MkdirAll(name, 0o755); err != nil {
			return err
		}
		return u.root.Chmod(name, perm|0o700)
	}
	if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := u.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // a later entry replaces an earlier one
		return err
	}
	switch {
	case e.hard:
		target := path.Clean(e.link)
		if !filepath.IsLocal(target) {
			return fmt.Errorf("it is a link to %q, which is not inside the archive", e.link)
		}
		if st, err := u.root.Lstat(target); err == nil && st.Mode()&fs.ModeSymlink != 0 {
			u.links = append(u.links, name)
		}
		return u.root.Link(target, name)
	case e.mode&fs.ModeSymlink != 0:
		u.links = append(u.links, name)
		return u.root.Symlink(e.link, name)
	case !e.mode.IsRegular():
		return errors.New("it is neither a file nor a directory nor a link")
	}
	return u.file(name, perm, e)
}

func (u *unpacker) file(name string, perm fs.FileMode, e entry) error {
	if e.size > u.left.Bytes {
		return u.tooLarge()
	}
	in, err := e.open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, u.left.Bytes+1))
	if u.left.Bytes -= n; err == nil && u.left.Bytes < 0 {
		err = u.tooLarge()
	}
	if err = errors.Join(err, out.Chmod(perm), out.Close()); err != nil {
		return err
	}
	return u.root.Chtimes(name, e.modified, e.modified)
}

// checkLinks refuses links that lead out. Where one leads is known when all is there, since it may lead over others.
func (u *unpacker) checkLinks() error {
	for _, name := range u.links {
		if _, err := u.root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%q: it is a link that leads out of the archive, or nowhere: %w", name, err)
		}
	}
	return nil
}
