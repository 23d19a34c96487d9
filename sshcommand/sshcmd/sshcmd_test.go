package sshcmd

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// testAccount is the account of the user "box": the caller's own id with a home directory of the test.
func testAccount(t testing.TB) account {
	t.Helper()
	a := account{name: "box", home: t.TempDir(), shell: "/bin/sh", uid: os.Getuid(), gid: os.Getgid()}
	if err := os.WriteFile(filepath.Join(a.home, commandName), []byte("ls\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// newTool returns a tool to which a is the only user.
func newTool(a account, stdin string) (t *tool, stdout, stderr *bytes.Buffer) {
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	return &tool{
		settings: loadSettings(func(string) string { return "" }, nil, nil),
		stdin:    strings.NewReader(stdin),
		stdout:   stdout,
		stderr:   stderr,
		lookup: func(name string) (account, error) {
			if name != a.name {
				return account{}, &noUserError{name}
			}
			return a, nil
		},
	}, stdout, stderr
}

// oneApp is held by who runs a cli.App: the package keeps the help flag in a variable.
var oneApp sync.Mutex

// runTool runs sshcommand with arguments.
func runTool(a account, stdin string, args ...string) (status int, stdout, stderr string) {
	oneApp.Lock()
	defer oneApp.Unlock()
	t, out, errs := newTool(a, stdin)
	status = t.main(append([]string{"sshcommand"}, args...))
	return status, out.String(), errs.String()
}

// newKey returns a key that nobody has.
func newKey(t testing.TB) string {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func addKey(t testing.TB, a account, name, key string) {
	t.Helper()
	if status, _, stderr := runTool(a, key, "acl-add", a.name, name); status != 0 {
		t.Fatalf("acl-add %s: %d, %s", name, status, stderr)
	}
}

func TestAddListRemove(t *testing.T) {
	t.Parallel()
	a := testAccount(t)
	key := newKey(t)
	addKey(t, a, "ann", key+" ann@home")
	status, out, _ := runTool(a, "", "list", "box", "json")
	if status != 0 || !strings.Contains(out, `"public-key": "`+key+` ann@home"`) {
		t.Errorf("list: %d, %s", status, out)
	}
	if status, _, stderr := runTool(a, key, "acl-add", "box", "ben"); status != 1 || stderr != "Duplicate ssh public key specified\n" {
		t.Errorf("acl-add of the same key: %d, %s", status, stderr)
	}
	if status, out, stderr := runTool(a, "", "ACL-Remove", "box", "ann"); status+len(out)+len(stderr) != 0 {
		t.Errorf("acl-remove: %d, %s, %s", status, out, stderr)
	}
	if status, _, stderr := runTool(a, "", "list", "box"); status != 1 || stderr != "authorized_keys is empty for box\n" {
		t.Errorf("list: %d, %s", status, stderr)
	}
}

// TestForeignKey: sshd obeys the first line that has the key, so a line of ours behind it would be without effect.
func TestForeignKey(t *testing.T) {
	t.Parallel()
	a := testAccount(t)
	key := newKey(t)
	path := filepath.Join(a.home, sshDir, keysName)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("no-pty "+key+" admin"), 0o640); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := runTool(a, key, "acl-add", "box", "ann"); status != 1 || stderr != "Duplicate ssh public key specified\n" {
		t.Errorf("acl-add of a foreign key: %d, %s", status, stderr)
	}
	addKey(t, a, "ann", newKey(t))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(data), "no-pty "+key+" admin\ncommand=") {
		t.Errorf("the foreign line has changed: %s", data)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v, want 0640 as before", info.Mode(), err)
	}
}

// TestStale: what an edit that was killed has left is removed by the next one.
func TestStale(t *testing.T) {
	t.Parallel()
	a := testAccount(t)
	addKey(t, a, "ann", newKey(t))
	dir := filepath.Join(a.home, sshDir)
	for _, name := range []string{"." + keysName + "123", "." + keysName + "12x", keysName + "2"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addKey(t, a, "ben", newKey(t))
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got, want := fmt.Sprint(names), "[.authorized_keys.lock .authorized_keys12x authorized_keys authorized_keys2]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestFailedWrite: when the new file cannot be written, the old one stays and nothing else is left.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	a := testAccount(t)
	addKey(t, a, "ann", newKey(t))
	path := filepath.Join(a.home, sshDir, keysName)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := os.Mkdir(filepath.Join(dir.Name(), "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(dir, "taken", []byte("x"), a); err == nil {
		t.Error("a directory was replaced")
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file has changed: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir.Name(), ".taken*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestAddUserCommands(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ osID, home, want string }{
		{"debian", "", "adduser --quiet --disabled-password --gecos  --shell /bin/bash box"},
		{"ubuntu", "/srv/box", "adduser --quiet --disabled-password --gecos  --shell /bin/bash --home /srv/box box"},
		{"alpine", "/srv/box", "adduser -D -g  -s /bin/bash -h /srv/box box"},
		{"amzn", "/srv/box", "useradd -m -s /bin/bash -d /srv/box box"},
		{"", "", "useradd -m -s /bin/bash box"},
	} {
		commands := addUserCommands(test.osID, "box", test.home, "/bin/bash")
		if got := strings.Join(commands[0].args, " "); got != test.want {
			t.Errorf("%q: got %q, want %q", test.osID, got, test.want)
		}
		if last := commands[len(commands)-1]; last.args[0] != "chpasswd" || last.stdin != "box:*\n" {
			t.Errorf("%q: the account stays locked: %v", test.osID, last)
		}
	}
}

func TestLookupAccount(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("getent"); err != nil {
		t.Fatal("getent is missing: apt-get install libc-bin")
	}
	a, err := lookupAccount("root")
	if err != nil || a.name != "root" || a.uid != 0 || a.home != "/root" {
		t.Errorf("root: %+v, %v", a, err)
	}
	for _, name := range []string{"no-such-user", "0"} {
		var noUser *noUserError
		if _, err := lookupAccount(name); !errors.As(err, &noUser) {
			t.Errorf("%s: got %v, want no such user", name, err)
		}
	}
}

func TestCanLogIn(t *testing.T) {
	t.Parallel()
	for shell, want := range map[string]bool{
		"": true, "/bin/sh": true, "/bin/bash": true, "/usr/sbin/nologin": false, "/sbin/nologin": false, "/bin/false": false,
	} {
		if got := (account{shell: shell}).canLogIn(); got != want {
			t.Errorf("%q: got %v, want %v", shell, got, want)
		}
	}
}

func TestReadKeyFails(t *testing.T) {
	t.Parallel()
	a := testAccount(t)
	tl := &tool{stdin: io.MultiReader(strings.NewReader(newKey(t)), failingReader{})}
	if _, err := tl.readKey(nil); err == nil || !strings.HasPrefix(err.Error(), "cannot read the key: ") {
		t.Errorf("a read error is lost: %v", err)
	}
	if status, _, stderr := runTool(a, "", "acl-add", "box", "ann", a.home); status != 1 || !strings.Contains(stderr, "is a directory") {
		t.Errorf("a directory for a key: %d, %s", status, stderr)
	}
}

// TestPipe: a pipe in the place of the file keeps nobody waiting.
func TestPipe(t *testing.T) {
	t.Parallel()
	a := testAccount(t)
	dir := filepath.Join(a.home, sshDir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, keysName), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "sshcommand: cannot read the keys of \"box\": authorized_keys is not a regular file\n"
	for _, args := range [][]string{{"list", "box"}, {"acl-add", "box", "ann"}, {"acl-remove", "box", "ann"}} {
		if status, _, stderr := runTool(a, newKey(t), args...); status != 1 || stderr != want {
			t.Errorf("%s: %d, %s", args[0], status, stderr)
		}
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("broken") }
