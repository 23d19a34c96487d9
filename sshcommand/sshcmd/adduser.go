package sshcmd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kballard/go-shellquote"
)

// addUser makes a system user that logs in with keys only.
func (t *tool) addUser(name string) error {
	home := ""
	if t.homeDir != "" {
		home = filepath.Join(t.homeDir, name)
	}
	for _, c := range addUserCommands(t.osID(), name, home, loginShell()) {
		if err := t.run(c.stdin, c.args...); err != nil {
			return fmt.Errorf("cannot create user %q: %w", name, err)
		}
	}
	return nil
}

// command is a program of the system with its arguments, and what it gets to read.
type command struct {
	args  []string
	stdin string
}

// addUserCommands returns what to run on the system with that ID. The password becomes one that nothing matches, which
// is not the same as the locked account that a new user has: sshd without PAM turns a locked one away, with a key too.
func addUserCommands(osID, name, home, shell string) []command {
	var args []string
	homeFlag := "-d"
	switch osID {
	case "alpine":
		args = []string{"adduser", "-D", "-g", "", "-s", shell}
		homeFlag = "-h"
	case "debian", "ubuntu", "raspbian":
		args = []string{"adduser", "--quiet", "--disabled-password", "--gecos", "", "--shell", shell}
		homeFlag = "--home"
	default:
		args = []string{"useradd", "-m", "-s", shell}
	}
	if home != "" {
		args = append(args, homeFlag, home)
	}
	return []command{
		{args: append(args, name)},
		{args: []string{"chpasswd", "-e"}, stdin: name + ":*\n"},
	}
}

// loginShell is bash, or where there is none the shell that every system has.
func loginShell() string {
	if _, err := os.Stat("/bin/bash"); err == nil {
		return "/bin/bash"
	}
	return "/bin/sh"
}

// run runs a program of the system, whose output matters only when it fails.
func (t *tool) run(stdin string, args ...string) error {
	t.tracef("%s", shellquote.Join(args...))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if out = bytes.TrimSpace(out); err != nil && len(out) > 0 {
		return fmt.Errorf("%s: %v: %s", args[0], err, strings.ReplaceAll(string(out), "\n", "; "))
	}
	return err
}
