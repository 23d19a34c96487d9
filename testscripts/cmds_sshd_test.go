package testscripts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// sshCommands is the part of the vocabulary with which a script is somebody who comes over SSH.
func sshCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"keygen": cmdKeygen,
		"ssh":    cmdSSH,
		"sshd":   cmdSSHD,
	}
}

// cmdKeygen makes a key pair, NAME and NAME.pub.
//
//	keygen NAME [ssh-keygen options]
func cmdKeygen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: keygen NAME [ssh-keygen options]")
	}
	options := args[1:]
	if len(options) == 0 {
		options = []string{"-t", "ed25519"}
	}
	ts.Check(ts.Exec(program(ts, "ssh-keygen", "openssh-client"),
		append([]string{"-q", "-N", "", "-C", args[0], "-f", ts.MkAbs(args[0])}, options...)...))
}

// cmdSSHD starts an sshd of its own on a free port of 127.0.0.1. It lets USER in and nobody else, by the keys in
// ~USER/.ssh/authorized_keys, and allows every kind of forwarding: what a key may not do is up to its line. It sets
// $SSH_PORT, and makes the file $SSH_CONFIG in which USER on that sshd is called box.
//
//	sshd USER
func cmdSSHD(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sshd USER")
	}
	sshd := program(ts, "sshd", "openssh-server")
	ts.Check(os.MkdirAll("/run/sshd", 0o755))
	hostKey := ts.MkAbs("sshd_host_key")
	ts.Check(ts.Exec(program(ts, "ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f", hostKey))
	var port int
	var err error
	for range 3 { // another process may take the port before sshd does
		if port, err = startSSHD(ts, sshd, hostKey, args[0]); err == nil {
			break
		}
	}
	ts.Check(err)
	config := ts.MkAbs("ssh_config")
	ts.Check(os.WriteFile(config, fmt.Appendf(nil, sshConfig, port, args[0]), 0o600))
	ts.Setenv("SSH_PORT", strconv.Itoa(port))
	ts.Setenv("SSH_CONFIG", config)
}

const sshdConfig = `
Port %d
AddressFamily inet
ListenAddress 127.0.0.1
HostKey %s
PidFile none
LogLevel VERBOSE
UsePAM no
StrictModes yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
AllowUsers %s
MaxStartups 100
PrintMotd no
PrintLastLog no
AcceptEnv *
AllowAgentForwarding yes
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
PermitTunnel yes
X11Forwarding yes
Subsystem sftp internal-sftp
`

const sshConfig = `
Host box
  HostName 127.0.0.1
  Port %d
  User %s
  BatchMode yes
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
  ConnectTimeout 20
`

func startSSHD(ts *testscript.TestScript, sshd, hostKey, user string) (port int, err error) {
	if port, err = freePort(); err != nil {
		return 0, err
	}
	config, log := ts.MkAbs("sshd_config"), ts.MkAbs("sshd.log")
	if err := os.WriteFile(config, fmt.Appendf(nil, sshdConfig, port, hostKey, user), 0o600); err != nil {
		return 0, err
	}
	cmd := exec.Command(sshd, "-D", "-f", config, "-E", log)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	ts.Defer(func() {
		cmd.Process.Kill()
		<-ended
	})
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		select {
		case <-ended:
			said, _ := os.ReadFile(log)
			return 0, fmt.Errorf("sshd ended: %s", said)
		case <-time.After(20 * time.Millisecond):
		}
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			conn.Close()
			return port, nil
		}
	}
	return 0, errors.New("sshd does not answer")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// cmdSSH runs ssh with the settings that sshd made; the host is called box. With ! it has to fail, with -status it has
// to end with exactly that status. ssh itself uses 255.
//
//	[!] ssh [-status N] [options of ssh] box [words]
func cmdSSH(ts *testscript.TestScript, neg bool, args []string) {
	want := 0
	if len(args) > 1 && args[0] == "-status" {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		want, args = n, args[2:]
	}
	if len(args) == 0 || neg && want != 0 {
		ts.Fatalf("usage: [!] ssh [-status N] [options of ssh] box [words]")
	}
	err := ts.Exec(program(ts, "ssh", "openssh-client"), append([]string{"-F", ts.Getenv("SSH_CONFIG")}, args...)...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	switch {
	case neg && got == 0:
		ts.Fatalf("ssh ended with 0")
	case !neg && got != want:
		ts.Fatalf("ssh ended with %d, want %d", got, want)
	}
}

// program returns the path of a program that a script cannot do without.
func program(ts *testscript.TestScript, name, debianPackage string) string {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	ts.Fatalf("%s is missing: apt-get install %s", name, debianPackage)
	return ""
}

// removeUser deletes a user that a script made, and whatever still runs as it.
func removeUser(name string) error {
	out, err := exec.Command("id", "-u", name).Output()
	if err != nil {
		return nil // the script did not get as far as making it
	}
	uid, err := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 32)
	if err != nil || uid < 1000 {
		return fmt.Errorf("cannot remove user %q: user id %q", name, out)
	}
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, proc := range procs {
		info, err := os.Stat(proc)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(uid) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(proc)); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if out, err := exec.Command("userdel", "--force", "--remove", name).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot remove user %q: %v: %s", name, err, out)
	}
	return nil
}
