package nginxvhosts

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

func TestServersOf(t *testing.T) {
	t.Parallel()
	text := "upstream a {\n  server 127.0.0.1:2;\n  server 127.0.0.1:1;\n}\n\nupstream a_green {\n}\nserver {\n  server_name x;\n}\n"
	for upstream, want := range map[string][]string{"a": {"127.0.0.1:1", "127.0.0.1:2"}, "a_green": nil} {
		if got, ok := serversOf(text, upstream); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", upstream, got, ok, want)
		}
	}
	if got, ok := serversOf(text, "b"); ok {
		t.Errorf("no such upstream: got %q", got)
	}
}

// newPair writes a certificate for a.test that ends then, and its key.
func newPair(t *testing.T, end time.Time) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a.test"}, DNSNames: []string{"a.test"},
		NotBefore: end.Add(-time.Hour * 24 * 365), NotAfter: end}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := pair{crt: filepath.Join(dir, "server.crt"), key: filepath.Join(dir, "server.key")}
	for file, block := range map[string]*pem.Block{p.crt: {Type: "CERTIFICATE", Bytes: cert}, p.key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestCheckPair looks at certificates of which each has one thing wrong.
func TestCheckPair(t *testing.T) {
	t.Parallel()
	good, soon, expired := newPair(t, time.Now().Add(20*24*time.Hour)), newPair(t, time.Now().Add(13*24*time.Hour)), newPair(t, time.Now().Add(-time.Hour))
	open, broken := newPair(t, time.Now().Add(20*24*time.Hour)), newPair(t, time.Now().Add(20*24*time.Hour))
	if err := os.Chmod(open.key, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken.crt, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		pair pair
		name string
		want string // level and part of the problem; "": nothing
	}{
		{"good", good, "a.test", ""},
		{"none", pair{crt: "/nonexistent/crt", key: "/nonexistent/key"}, "a.test", ""},
		{"another name", good, "b.test", `"warning" the certificate is not for b.test`},
		{"soon", soon, "a.test", `"warning" the certificate expires on`},
		{"expired", expired, "a.test", `"violation" the certificate has expired on`},
		{"no pair", pair{crt: good.crt, key: soon.key}, "a.test", `"violation" certificate and key are no pair`},
		{"no key", pair{crt: good.crt, key: "/nonexistent/key"}, "a.test", `"warning" there is only one of certificate and key`},
		{"open key", open, "a.test", `"violation" ` + open.key + " has mode 0644"},
		{"broken", broken, "a.test", `"violation" certificate and key are no pair`},
	} {
		var out bytes.Buffer
		hook := plug.Diagnose([]string{"certificates"}, func(_ context.Context, _ *plug.C, d *plug.Diagnosis) { checkPair(c.pair, "a", []string{c.name}, d) })
		if err := hook(t.Context(), &plug.C{Call: &pluginhook.Call{Stdout: &out}}); err != nil {
			t.Fatal(err)
		}
		level, problem, _ := strings.Cut(c.want, " ")
		if c.want == "" {
			level = `"ok"`
		}
		if got := out.String(); !strings.Contains(got, level) || !strings.Contains(got, problem) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}
