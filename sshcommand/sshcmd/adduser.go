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
	for _, args := range addUserCommands(t.osID(), name, home, loginShell()) {
		if err := t.run(args...); err != nil {
			return fmt.Errorf("cannot create user %q: %w", name, err)
		}
	}
	return nil
}

// addUserCommands returns what to run on the system with that ID. The password is one that nothing matches, which is not
// the same as a locked account: sshd without PAM turns a locked one away, with a key too.
func addUserCommands(osID, name, home, shell string) [][]string {
	switch osID {
	case "alpine":
		args := []string{"adduser", "-D", "-g", "", "-s", shell}
		if home != "" {
			args = append(args, "-h", home)
		}
		return [][]string{append(args, name), {"usermod", "-p", "*", name}}
	case "debian", "ubuntu", "raspbian":
		args := []string{"adduser", "--quiet", "--disabled-password", "--gecos", "", "--shell", shell}
		if home != "" {
			args = append(args, "--home", home)
		}
		return [][]string{append(args, name)}
	}
	args := []string{"useradd", "-m", "-s", shell, "-p", "*"}
	if home != "" {
		args = append(args, "-d", home)
	}
	return [][]string{append(args, name)}
}

// loginShell is bash, or where there is none the shell that every system has.
func loginShell() string {
	if _, err := os.Stat("/bin/bash"); err == nil {
		return "/bin/bash"
	}
	return "/bin/sh"
}

// run runs a program of the system, whose output matters only when it fails.
func (t *tool) run(args ...string) error {
	t.tracef("%s", shellquote.Join(args...))
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if out = bytes.TrimSpace(out); err != nil && len(out) > 0 {
		return fmt.Errorf("%s: %v: %s", args[0], err, strings.ReplaceAll(string(out), "\n", "; "))
	}
	return err
}
