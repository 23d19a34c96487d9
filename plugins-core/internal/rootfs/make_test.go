package rootfs

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAptProxy takes the proxy of all hosts out of what apt-config says.
func TestAptProxy(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]string{
		"": "",
		"Acquire::http::Proxy http://proxy:3142\n":                                                                  "http://proxy:3142",
		"Acquire::http::Proxy http://proxy:3142\nAcquire::http::Proxy::inside.example DIRECT\n":                     "http://proxy:3142",
		"Acquire::http::Proxy \nAcquire::http::Proxy::a.example DIRECT\nAcquire::http::Proxy::b.example http://b\n": "",
		"Acquire::http::Proxy DIRECT\n":                                                                             "",
		"Acquire::http::Proxy false\n":                                                                              "",
	} {
		if got := aptProxy(lines); got != want {
			t.Errorf("%q: got %q, want %q", lines, got, want)
		}
	}
}

// TestHostCertificates has a link that leads nowhere among them, and no directory at all.
func TestHostCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.crt", "z.crt", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "b.crt")); err != nil {
		t.Fatal(err)
	}
	got, err := HostCertificates(dir)
	if err != nil || len(got) != 2 || string(got["a.crt"]) != "a.crt" || string(got["z.crt"]) != "z.crt" {
		t.Errorf("got %q, %v, want a.crt and z.crt", got, err)
	}
	if got, err := HostCertificates(filepath.Join(dir, "none")); err != nil || len(got) > 0 {
		t.Errorf("no directory: got %q, %v", got, err)
	}
}
