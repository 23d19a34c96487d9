package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// Cache keeps finished root file systems: a directory of files stack-VARIANT-ID.tar.zst.
type Cache struct{ Dir string }

const (
	cachePrefix = "stack-"
	cacheSuffix = ".tar.zst"
	// unfinished begins the name of a file that is being written.
	unfinished = ".stack-"
	// cacheTime is how long a file of a kind that nobody asks for is kept.
	cacheTime = 30 * 24 * time.Hour
)

// Lock keeps others from making root file systems, also those of other platforms of the host, and takes away what a
// maker that was killed has left. waiting is called when somebody else has it.
func (c Cache) Lock(ctx context.Context, waiting func()) (unlock func(), err error) {
	if err := record.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err = LockDir(ctx, c.Dir, waiting)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", c.Dir, err)
	}
	left, _ := filepath.Glob(filepath.Join(c.Dir, unfinished+"*")) // the pattern is well formed
	for _, file := range left {
		_ = os.Remove(file) // the next maker tries again
	}
	return unlock, nil
}

// LockDir locks a directory until unlock is called, or we end. waiting is called when somebody else has it.
func LockDir(ctx context.Context, dir string, waiting func()) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
		if !told {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c Cache) path(r Recipe) string {
	return filepath.Join(c.Dir, cachePrefix+r.Variant()+"-"+r.ID()+cacheSuffix)
}

// Has tells whether the root file system of the recipe is there.
func (c Cache) Has(r Recipe) bool {
	_, err := os.Stat(c.path(r))
	return err == nil
}

// Open reads the root file system of the recipe, as a tar; it is there.
func (c Cache) Open(r Recipe) (io.ReadCloser, error) {
	file := c.path(r)
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	_ = os.Chtimes(file, now, now) // it is in use
	d, err := zstd.NewReader(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read %s: %w", file, err), f.Close())
	}
	return &decoder{d, f}, nil
}

type decoder struct {
	*zstd.Decoder
	file *os.File
}

func (d *decoder) Close() error {
	d.Decoder.Close()
	return d.file.Close()
}

// Forget takes away the root file system of the recipe.
func (c Cache) Forget(r Recipe) error { return record.Remove(c.path(r)) }

// Put keeps what write writes as the root file system of the recipe. It is there as a whole, and on the disk, or not at
// all. Older ones of the same variant go, and those of others that nobody has asked for in a month.
func (c Cache) Put(r Recipe, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(c.Dir, unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // it may have its name already
		}
	}()
	e, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if err = write(e); err != nil {
		return errors.Join(err, f.Close()) // without the end of the archive, which Close would write
	}
	if err = errors.Join(e.Close(), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("cannot keep the root file system in %s: %w", c.Dir, err)
	}
	if err = os.Rename(f.Name(), c.path(r)); err != nil {
		return err
	}
	c.sweep(r)
	return record.SyncDir(c.Dir)
}

// sweep takes away what r replaces. What cannot be removed stays for the next time.
func (c Cache) sweep(r Recipe) {
	files, _ := filepath.Glob(filepath.Join(c.Dir, cachePrefix+"*"+cacheSuffix)) // the pattern is well formed
	for _, file := range files {
		id := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), cachePrefix), cacheSuffix)
		variant := id[:max(0, strings.LastIndexByte(id, '-'))]
		st, err := os.Stat(file)
		if err == nil && file != c.path(r) && (variant == r.Variant() || variant == "" || time.Since(st.ModTime()) > cacheTime) {
			_ = os.Remove(file)
		}
	}
}
