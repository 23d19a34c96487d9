package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// The app's certificate and its key. They belong together, so they change in one moment: the directory is exchanged.
const (
	CertificateDir  = "tls"
	CertificateFile = "tls/server.crt"
	KeyFile         = "tls/server.key"
)

// otherCertificateDir is the directory that is to become [CertificateDir], or that was it: what a crash has left of it is
// good for nothing.
const otherCertificateDir = ".tls.other"

// SetCertificate gives the app a certificate and its key. The key is for the system user, and for nginx' first process,
// which is root. The caller holds the app's lock.
func (a App) SetCertificate(crt, key []byte) error {
	if err := a.SweepCertificate(); err != nil {
		return err
	}
	dir, other, mode := a.Path(CertificateDir), a.Path(otherCertificateDir), fs.FileMode(0o755)
	switch st, err := os.Lstat(dir); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("cannot write %q: %w", dir, err)
	case !st.IsDir():
		return fmt.Errorf("cannot write %q: it is no directory; remove it, or put the files where it leads by hand", dir)
	default:
		mode = st.Mode().Perm()
		if err := unix.Access(dir, unix.W_OK); err != nil {
			return fmt.Errorf("cannot write %q: %w", dir, err)
		}
	}
	if err := record.Mkdir(other, mode); err != nil {
		return err
	}
	err := a.fillCertificate(other, crt, key)
	if err == nil {
		err = record.Exchange(other, dir)
	}
	return errors.Join(err, a.SweepCertificate())
}

// fillCertificate puts the pair into the directory dir, with the other files of the one of now.
func (a App) fillCertificate(dir string, crt, key []byte) error {
	entries, err := os.ReadDir(a.Path(CertificateDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read %q: %w", a.Path(CertificateDir), err)
	}
	for _, e := range entries {
		name := filepath.Join(CertificateDir, e.Name())
		if name == CertificateFile || name == KeyFile || e.IsDir() {
			continue
		}
		if err := keep(a.Path(name), filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("cannot keep %q: %w", a.Path(name), err)
		}
	}
	if err := record.Write(filepath.Join(dir, filepath.Base(KeyFile)), key, 0o600); err != nil {
		return err
	}
	return record.Write(filepath.Join(dir, filepath.Base(CertificateFile)), crt, 0o644)
}

// keep has the file be in the other directory, too. Files of root's, to which the kernel lets nobody make another name, are
// copied.
func keep(file, other string) error {
	err := os.Link(file, other)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	st, err := os.Lstat(file)
	if err != nil {
		return err
	}
	if st.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(file)
		if err != nil {
			return err
		}
		return os.Symlink(target, other)
	}
	if !st.Mode().IsRegular() {
		return errors.New("it is no file")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return record.Write(other, data, st.Mode().Perm())
}

// RemoveCertificate takes the app's certificate away, and its key with it. The caller holds the app's lock.
func (a App) RemoveCertificate() error {
	if err := a.SweepCertificate(); err != nil {
		return err
	}
	if err := record.Rename(a.Path(CertificateDir), a.Path(otherCertificateDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return record.RemoveAll(a.Path(otherCertificateDir))
}

// SweepCertificate removes what a change of the certificate has left, also one that was killed. Directories of others in
// there go on to the new one: they cannot be in both.
func (a App) SweepCertificate() error {
	other := a.Path(otherCertificateDir)
	if between := record.Between(a.Path(CertificateDir)); exists(between) {
		to := other
		if !exists(a.Path(CertificateDir)) {
			to = a.Path(CertificateDir)
		}
		if err := record.Rename(between, to); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(other)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if _, statErr := os.Lstat(a.Path(CertificateDir)); statErr == nil && e.IsDir() {
			err = errors.Join(err, record.Rename(filepath.Join(other, e.Name()), filepath.Join(a.Path(CertificateDir), e.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("cannot remove %q: %w", other, err)
	}
	return record.RemoveAll(other)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
