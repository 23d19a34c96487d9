package sshcmd

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

const (
	aclRemoveHelp = `  Removes every key whose name is exactly NAME. That there is none is said on standard error and is no failure.
  Lines that were not written by sshcommand stay.`
	aclRemoveByFingerprintHelp = `  FINGERPRINT is SHA256:... or MD5:... or the bare pairs of MD5, as ssh-keygen -l prints it.
  Lines that were not written by sshcommand stay.`
)

func (t *tool) aclRemove(c *cli.Context) error {
	args, err := operands(c, 2, 2, 1)
	if err != nil {
		return err
	}
	return t.removeKeys(args[0], "name", args[1], func(e authkeys.Entry) bool { return e.Name == args[1] })
}

func (t *tool) aclRemoveByFingerprint(c *cli.Context) error {
	args, err := operands(c, 2, 2, 1)
	if err != nil {
		return err
	}
	return t.removeKeys(args[0], "fingerprint", args[1], func(e authkeys.Entry) bool { return e.HasFingerprint(args[1]) })
}

// removeKeys deletes the keys for which match is true. what and value say which these are.
func (t *tool) removeKeys(user, what, value string, match func(authkeys.Entry) bool) error {
	a, err := t.user(user)
	if err != nil {
		return err
	}
	return t.editKeys(a, func(f *authkeys.File) (bool, error) {
		n := f.Remove(match)
		if n == 0 {
			fmt.Fprintf(t.stderr, "sshcommand: no key of %q has the %s %q\n", a.name, what, value)
		}
		return n > 0, nil
	})
}
