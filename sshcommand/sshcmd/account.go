package sshcmd

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"unicode"

	"github.com/moby/sys/user"
)

// account is what the system knows of a user.
type account struct {
	name, home, shell string
	uid, gid          int
}

// noUserError means that the system knows no user of that name.
type noUserError struct{ name string }

func (e *noUserError) Error() string { return fmt.Sprintf("%q is not a user on this system", e.name) }

// As makes it a textError: scripts match the wording.
func (e *noUserError) As(target any) bool {
	text, ok := target.(**textError)
	if ok {
		*text = &textError{text: e.Error()}
	}
	return ok
}

// passwdFile has the local users.
const passwdFile = "/etc/passwd"

// lookupAccount finds a user in the passwd file, or else asks getent, which knows users of a directory service too.
func lookupAccount(name string) (account, error) {
	byName := func(u user.User) bool { return u.Name == name }
	users, err := user.ParsePasswdFileFilter(passwdFile, byName)
	if err == nil && len(users) > 0 {
		return newAccount(users[0]), nil
	}
	out, err := exec.Command("getent", "passwd", name).Output()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.As(err, &exit) && exit.ExitCode() == 2:
		return account{}, &noUserError{name}
	case err != nil:
		return account{}, fmt.Errorf("cannot look up user %q: getent: %v", name, err)
	}
	// getent takes a number for a user id; that is not the name that was asked for.
	users, err = user.ParsePasswdFilter(bytes.NewReader(out), byName)
	if err != nil || len(users) == 0 {
		return account{}, &noUserError{name}
	}
	return newAccount(users[0]), nil
}

func newAccount(u user.User) account {
	return account{name: u.Name, home: u.Home, shell: u.Shell, uid: u.Uid, gid: u.Gid}
}

// checkUserName refuses what can be no user name and would mean something else to the tools it is handed to.
func checkUserName(name string) error {
	bad := func(r rune) bool {
		return r == ':' || r == '/' || r == unicode.ReplacementChar || unicode.IsSpace(r) || unicode.IsControl(r)
	}
	if name == "" || strings.HasPrefix(name, "-") || len(name) > 255 || strings.ContainsFunc(name, bad) {
		if len(name) > 255 {
			name = name[:32] + "..."
		}
		return fmt.Errorf("cannot use %q as a user name", name)
	}
	return nil
}

// canLogIn reports whether sshd would run anything for the user: it hands the forced command to the login shell.
func (a account) canLogIn() bool {
	base := a.shell[strings.LastIndexByte(a.shell, '/')+1:]
	return base != "nologin" && base != "false"
}
