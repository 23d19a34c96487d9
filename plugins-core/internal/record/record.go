// Package record is the one writer of records: a reader, and a machine that lost power, sees the old content or the
// new, never a part.
package record

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Write puts data in path with that mode: temporary file, fsync, rename, fsync of the directory.
func Write(path string, data []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(mode))
	if err != nil {
		return fmt.Errorf("cannot write %q: %w", path, err)
	}
	defer f.Cleanup()
	if _, err = f.Write(data); err == nil {
		err = f.CloseAtomicallyReplace()
	}
	if err == nil {
		err = SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("cannot write %q: %w", path, err)
	}
	return nil
}

// WriteLine writes one line and its end to path, readable by all.
func WriteLine(path, line string) error { return Write(path, []byte(line+"\n"), 0o644) }

// Remove deletes path durably; that there is none is fine.
func Remove(path string) error {
	err := os.Remove(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		err = SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("cannot remove %q: %w", path, err)
	}
	return nil
}

// SyncDir makes what was renamed, made or removed in dir last.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
