package app_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

func want(t *testing.T, a app.App, name, text string) {
	t.Helper()
	if got, err := os.ReadFile(a.Path(name)); err != nil || string(got) != text {
		t.Errorf("%s: %q, %v, want %q", name, got, err, text)
	}
}

// Where a file system cannot exchange two directories, a crash leaves one under a third name.
func TestSweepCertificateBetween(t *testing.T) {
	t.Parallel()
	between := filepath.Base(record.Between("/x/" + app.CertificateDir))
	const other = ".tls.other"
	for _, moved := range []bool{false, true} {
		a := app.App{Root: t.TempDir(), Name: "web"}
		files := map[string]string{between + "/server.crt": "old", between + "/dhparam.pem": "kept", between + "/more/file": "of others"}
		if moved {
			files["tls/server.crt"], files["tls/dhparam.pem"] = "new", "kept"
		} else {
			files[other+"/server.crt"] = "new"
		}
		fill(t, a, files)
		if err := a.SweepCertificate(); err != nil {
			t.Fatal(err)
		}
		want(t, a, app.CertificateFile, map[bool]string{false: "old", true: "new"}[moved])
		want(t, a, "tls/dhparam.pem", "kept")
		want(t, a, "tls/more/file", "of others")
		for _, left := range []string{between, other} {
			if _, err := os.Lstat(a.Path(left)); err == nil {
				t.Errorf("%s is left", left)
			}
		}
	}
}

// The kernel lets nobody make another name of a file that is root's, so it is copied.
func TestSetCertificateBesideRoots(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a file of root's and goes on as somebody else: not in short mode")
	}
	if os.Geteuid() != 0 {
		t.Fatal("makes a file of root's and goes on as somebody else: run as root, or with -short to leave this out")
	}
	a := app.App{Root: t.TempDir(), Name: "web"}
	fill(t, a, map[string]string{app.CertificateFile: "old", app.KeyFile: "old", "tls/dhparam.pem": "root's"})
	if err := os.Symlink("dhparam.pem", a.Path("tls/link")); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	for _, dir := range []string{filepath.Dir(a.Root), a.Root} { // t.TempDir's own
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{a.Dir(), a.Path(app.CertificateDir)} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	go func() { // of a thread of its own, which ends with it
		done <- asUser(nobody, func() error { return a.SetCertificate([]byte("new"), []byte("key")) })
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want(t, a, app.CertificateFile, "new")
	want(t, a, app.KeyFile, "key")
	want(t, a, "tls/dhparam.pem", "root's")
	if to, err := os.Readlink(a.Path("tls/link")); err != nil || to != "dhparam.pem" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
}

func asUser(uid int, f func() error) error {
	runtime.LockOSThread()
	if _, _, err := syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(uid), 0, 0); err != 0 {
		return err
	}
	return f()
}
