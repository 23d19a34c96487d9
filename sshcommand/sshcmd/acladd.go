package sshcmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

const aclAddHelp = `  Reads one public key from KEY_FILE, or from standard input, and prints its fingerprint. The key may run the
  command of USER and nothing else. NAME and the key must not be there yet, unless
  SSHCOMMAND_CHECK_DUPLICATE_NAME=false or SSHCOMMAND_CHECK_DUPLICATE_FINGERPRINT=false.
  SSHCOMMAND_ALLOWED_KEYS replaces the options of the key, no-agent-forwarding,no-user-rc,no-X11-forwarding,no-port-forwarding,restrict,pty.`

func (t *tool) aclAdd(c *cli.Context) error {
	args, err := operands(c, 2, 3, 2)
	if err != nil {
		return err
	}
	return t.addKey(args[0], args[1], args[2:])
}

func (t *tool) addKey(user, name string, file []string) error {
	if err := authkeys.CheckName(name); err != nil {
		return err
	}
	a, err := t.user(user)
	if err != nil {
		return err
	}
	key, err := t.readKey(file)
	if err != nil {
		return err
	}
	if err := hasCommand(a); err != nil {
		return err
	}
	entry := authkeys.Entry{Name: name, Fingerprint: key.Fingerprint(), Options: t.allowedKeys, Key: key.String()}
	line, err := authkeys.Format(entry, a.home)
	if err != nil {
		return err
	}
	err = t.editKeys(a, func(f *authkeys.File) (bool, error) {
		if t.checkDuplicateName && f.HasName(entry.Name) {
			return false, &textError{text: "Duplicate ssh key name"}
		}
		if t.checkDuplicateKey && f.HasKey(key) {
			return false, &textError{text: "Duplicate ssh public key specified"}
		}
		f.Append(line)
		return true, nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(t.stdout, entry.Fingerprint)
	return nil
}

// readKey reads the key from the file, if there is one, or from standard input.
func (t *tool) readKey(file []string) (authkeys.Key, error) {
	in := t.stdin
	if len(file) > 0 && file[0] != "-" {
		f, err := os.Open(file[0])
		if err != nil {
			return authkeys.Key{}, fmt.Errorf("cannot read the key: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, authkeys.MaxKeyInput+1))
	if err != nil {
		return authkeys.Key{}, fmt.Errorf("cannot read the key: %w", err)
	}
	key, err := authkeys.ParseKey(data)
	switch {
	case errors.Is(err, authkeys.ErrManyKeys):
		const many = "Too many keys provided, set one per invocation of sshcommand acl-add <USER> <NAME>"
		return key, &textError{text: many}
	case err == authkeys.ErrInvalidKey:
		return key, &textError{text: "Invalid ssh public key"}
	case err != nil:
		return key, &textError{text: "Invalid ssh public key", hint: err.Error()}
	}
	return key, nil
}

// hasCommand refuses a user without a command. The shell would take the first word of the client in its place, and the
// key would be good for anything.
func hasCommand(a account) error {
	path := filepath.Join(a.home, commandName)
	data, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(data)) != "" {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the command of %q: %w", a.name, err)
	}
	return &hintError{
		fmt.Errorf("cannot add a key to %q: no command in %q", a.name, path),
		"sshcommand create " + a.name + " COMMAND",
	}
}
