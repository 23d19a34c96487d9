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
	return t.remove(c, "name", func(e authkeys.Entry, arg string) bool { return e.Name == arg })
}

func (t *tool) aclRemoveByFingerprint(c *cli.Context) error {
	return t.remove(c, "fingerprint", authkeys.Entry.HasFingerprint)
}

// remove deletes the keys for which match is true of the argument behind the user.
func (t *tool) remove(c *cli.Context, what string, match func(e authkeys.Entry, arg string) bool) error {
	args, err := operands(c, 2, 2, 1)
	if err != nil {
		return err
	}
	a, err := t.user(args[0])
	if err != nil {
		return err
	}
	return t.editKeys(a, func(f *authkeys.File) (bool, error) {
		n := f.Remove(func(e authkeys.Entry) bool { return match(e, args[1]) })
		if n == 0 {
			fmt.Fprintf(t.stderr, "sshcommand: no key of %q has the %s %q\n", a.name, what, args[1])
		}
		return n > 0, nil
	})
}
