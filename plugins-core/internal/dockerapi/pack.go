package dockerapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/containerd/log"
	"github.com/moby/go-archive"
)

// Source is a directory as a tar, packed while it is read.
type Source struct {
	io.ReadCloser
	diag *diagnosis
}

// Pack packs dir, without what the patterns of a .dockerignore file exclude.
func Pack(dir string, excludes []string) (*Source, error) {
	return pack(dir, &archive.TarOptions{ExcludePatterns: excludes})
}

// packAsRoot packs as [Pack] does, but says of all that it belongs to root. BuildKit copies what it gets with its owner.
func packAsRoot(dir string, excludes []string) (*Source, error) {
	return pack(dir, &archive.TarOptions{ExcludePatterns: excludes, ChownOpts: &archive.ChownOpts{}})
}

func pack(dir string, options *archive.TarOptions) (*Source, error) {
	s := &Source{diag: &diagnosis{}}
	// The packer leaves out a file that it cannot read, and tells only its log.
	log.L.Logger.SetOutput(s.diag)
	tree, err := archive.TarWithOptions(dir, options)
	if err != nil {
		return nil, fmt.Errorf("cannot pack the source: %w", err)
	}
	s.ReadCloser = tree
	return s, nil
}

// Err is what went wrong so far, other than that the reader had enough.
func (s *Source) Err() error { return s.diag.err() }

// diagnosis keeps the lines of a log that are about lost files.
type diagnosis struct {
	mu    sync.Mutex
	lines []string
}

func (d *diagnosis) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if line := string(bytes.TrimSpace(p)); strings.Contains(line, "level=error") && !strings.Contains(line, "closed pipe") {
		d.lines = append(d.lines, line)
	}
	return len(p), nil
}

func (d *diagnosis) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.lines) == 0 {
		return nil
	}
	return errors.New("cannot pack all of the source: " + strings.Join(d.lines, "; "))
}
