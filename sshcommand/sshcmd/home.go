package sshcmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// home is the home directory of a user, as something that cannot be left: a link in it that leads elsewhere is
// refused, since the user may have made it and the one who follows it here is root.
type home struct {
	*os.Root
	account account
}

func openHome(a account) (*home, error) {
	path, err := filepath.EvalSymlinks(a.home)
	if err != nil {
		return nil, fmt.Errorf("cannot use the home directory of %q: %w", a.name, err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("cannot use the home directory of %q: %w", a.name, err)
	}
	return &home{Root: root, account: a}, nil
}

// give makes the file name, which was just made by us, one of the user.
func (h *home) give(name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return h.Lchown(name, h.account.uid, h.account.gid)
}

// keysDir opens the directory in which the authorized_keys file really is, and returns the name that it has there. sshd
// follows a link in the place of the file or of .ssh, so the file to replace is what the link leads to.
func (h *home) keysDir() (*os.Root, string, error) {
	err := h.Mkdir(sshDir, 0o700)
	if err == nil {
		err = h.give(sshDir)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, "", fmt.Errorf("cannot create %q: %w", filepath.Join(h.Name(), sshDir), err)
	}
	path, err := resolve(filepath.Join(h.Name(), sshDir, keysName))
	if err != nil {
		return nil, "", err
	}
	rel, err := filepath.Rel(h.Name(), path)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, "", fmt.Errorf("cannot use %q: the link leaves the home directory of %q", path, h.account.name)
	}
	dir, err := h.OpenRoot(filepath.Dir(rel))
	if err != nil {
		return nil, "", fmt.Errorf("cannot use the keys of %q: %w", h.account.name, err)
	}
	return dir, filepath.Base(rel), nil
}

// resolve follows links. The file itself need not exist, but a link in its place has to lead to one.
func resolve(path string) (string, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", fmt.Errorf("cannot use %q: %w", filepath.Dir(path), err)
		}
		return filepath.Join(dir, filepath.Base(path)), nil
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("cannot use %q: %w", path, err)
	}
	return resolved, nil
}
