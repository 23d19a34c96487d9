package sshcmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

const createHelp = `  Makes USER, unless there is one, and writes COMMAND to ~USER/.sshcommand. COMMAND is read again at each login, so
  that a second create changes it for all keys. HOME_DIR is the directory for new home directories.`

// commandName is the file in the home directory that has the command.
const commandName = ".sshcommand"

func (t *tool) create(c *cli.Context) error {
	args, err := operands(c, 2, 2, 2)
	if err != nil {
		return err
	}
	name, command := args[0], args[1]
	if strings.TrimSpace(command) == "" {
		return usageError(c)
	}
	if strings.ContainsAny(command, "\n\x00") {
		return fmt.Errorf("cannot use a command of several lines")
	}
	a, made, err := t.findOrAddUser(name)
	if err != nil {
		return err
	}
	if err := authkeys.CheckHome(a.home); err != nil {
		return err
	}
	if !made && !a.canLogIn() {
		t.warn("user %q has the login shell %s, sshd will run nothing for it: usermod --shell /bin/bash %s", name, a.shell, name)
	}
	return t.install(a, command)
}

func (t *tool) findOrAddUser(name string) (a account, made bool, err error) {
	a, err = t.user(name)
	var noUser *noUserError
	if err == nil {
		t.verbose("User '%s' already exists", name)
	}
	if !errors.As(err, &noUser) {
		return a, false, err
	}
	if err := t.addUser(name); err != nil {
		return account{}, false, err
	}
	a, err = t.user(name)
	return a, true, err
}

// install lays down .sshcommand and an authorized_keys file. Only these and .ssh get an owner and a mode, without which
// sshd would not read them; what else is in the home directory is none of our business.
func (t *tool) install(a account, command string) error {
	home, err := openHome(a)
	if err != nil {
		return err
	}
	defer home.Close()
	if err := t.installCommand(home, command); err != nil {
		return err
	}
	dir, name, err := home.keysDir()
	if err != nil {
		return err
	}
	defer dir.Close()
	f, err := dir.OpenFile(name, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot create %q: %w", filepath.Join(dir.Name(), name), err)
	}
	defer f.Close()
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	for file, mode := range map[*os.File]fs.FileMode{f: 0o600, d: 0o700} {
		if err := setOwner(file, mode, a); err != nil {
			return err
		}
	}
	return nil
}

// installCommand writes the command, unless the file already says the same.
func (t *tool) installCommand(h *home, command string) error {
	text := command + "\n"
	if old, err := h.ReadFile(commandName); err == nil && string(old) == text {
		return nil
	}
	t.tracef("write %s", filepath.Join(h.Name(), commandName))
	if err := replaceFile(h.Root, commandName, []byte(text), h.account); err != nil {
		return fmt.Errorf("cannot write the command of %q: %w", h.account.name, err)
	}
	return nil
}

// setOwner gives an open file its mode and owner, where it has others.
func setOwner(f *os.File, mode fs.FileMode, a account) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Perm() != mode {
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	stat := info.Sys().(*syscall.Stat_t)
	if os.Geteuid() == 0 && (int(stat.Uid) != a.uid || int(stat.Gid) != a.gid) {
		return f.Chown(a.uid, a.gid)
	}
	return nil
}
