package nginxvhosts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
)

// newCertificate makes a certificate for a common name and alternative names, and its key, in PEM.
func newCertificate(t *testing.T, cn string, names ...string) (crt, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: cn}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}))
}

// writePair puts a new certificate and its key in dir.
func writePair(t *testing.T, dir, cn string, names ...string) {
	t.Helper()
	crt, key := newCertificate(t, cn, names...)
	write(t, filepath.Join(dir, "server.crt"), crt)
	write(t, filepath.Join(dir, "server.key"), key)
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cn    string
		names []string
		host  string
		want  bool
	}{
		{"", []string{"a.test"}, "a.test", true},
		{"", []string{"a.test"}, "A.Test", true},
		{"", []string{"a.test"}, "b.test", false},
		{"", []string{"a.test"}, "x.a.test", false},
		{"", []string{"a.test", "*.b.test"}, "x.b.test", true},
		{"", []string{"*.b.test"}, "b.test", false},
		{"", []string{"*.b.test"}, "x.y.b.test", false},
		{"", []string{"*.b.test"}, "*.b.test", true},
		{"", []string{"x.b.test"}, "*.b.test", false},
		{"a.test", []string{"b.test"}, "a.test", false}, // the common name counts only alone
		{"a.test", nil, "a.test", true},
		{"A.test", nil, "a.Test", true},
		{"*.a.test", nil, "x.a.test", true},
		{"*.a.test", nil, "a.test", false},
		{"*.a.test", nil, "x.y.a.test", false},
		{"*", nil, "a.test", false},
		{"", nil, "a.test", false},
		{"Some Company", nil, "a.test", false},
	} {
		text, _ := newCertificate(t, c.cn, c.names...)
		block, _ := pem.Decode([]byte(text))
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if got := hosts.Covers(cert, c.host); got != c.want {
			t.Errorf("CN %q, names %q, host %q: got %v, want %v", c.cn, c.names, c.host, got, c.want)
		}
	}
}

// TestCertificate chooses between the app's certificate, the global one and none.
func TestCertificate(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), t.TempDir(), "foo")
	want := func(what, dir string, names ...string) {
		t.Helper()
		got, err := s.certificate(names)
		switch {
		case err != nil:
			t.Errorf("%s: %v", what, err)
		case dir == "" && got != nil:
			t.Errorf("%s: got %v, want none", what, got)
		case dir != "" && (got == nil || got.crt != filepath.Join(dir, "server.crt") || got.key != filepath.Join(dir, "server.key")):
			t.Errorf("%s: got %v, want the one in %s", what, got, dir)
		}
	}
	global, own := filepath.Join(s.app.Root, "tls"), s.app.Path("tls")
	want("none there", "", "foo.a.test")
	writePair(t, global, "", "*.a.test")
	want("global, for the name", global, "foo.a.test")
	want("global, for another name", "", "foo.b.test")
	want("global, for one of two names", global, "foo.a.test", "foo.b.test")
	if got, err := s.certificate([]string{"foo.a.test", "foo.b.test"}); err != nil || len(got.names) != 1 {
		t.Errorf("global, for one of two names: got %v, %v", got, err)
	}
	writePair(t, own, "", "foo.b.test")
	want("own", own, "foo.b.test")
	want("own, whatever it is for", own, "foo.a.test")
	if err := os.Remove(filepath.Join(own, "server.key")); err != nil {
		t.Fatal(err)
	}
	want("own, without a key", global, "foo.a.test")
	write(t, filepath.Join(own, "server.key"), "x")
	for _, text := range []string{"", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		write(t, filepath.Join(own, "server.crt"), text)
		if got, err := s.certificate([]string{"foo.a.test"}); err == nil {
			t.Errorf("certificate %q: got %v, want an error", text, got)
		}
	}
}

// TestPairCheck has pairs that nginx would refuse, or clients.
func TestPairCheck(t *testing.T) {
	t.Parallel()
	crt, key := newCertificate(t, "a.test")
	_, other := newCertificate(t, "a.test")
	for _, c := range []struct{ crt, key, want string }{
		{crt, key, ""},
		{crt, other, "it is not the key of the certificate"},
		{crt, "nonsense", "it is no PEM key"},
		{crt, "-----BEGIN ODD PRIVATE KEY-----\nAAAA\n-----END ODD PRIVATE KEY-----\n", ""}, // for nginx to judge
		{"nonsense", key, "it is no PEM certificate"},
	} {
		dir := t.TempDir()
		p := &pair{crt: filepath.Join(dir, "server.crt"), key: filepath.Join(dir, "server.key")}
		write(t, p.crt, c.crt)
		write(t, p.key, c.key)
		err := p.check(false)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	dir := t.TempDir()
	p := &pair{crt: filepath.Join(dir, "server.crt"), key: filepath.Join(dir, "server.key")}
	write(t, p.crt, crt)
	for after, want := range map[time.Duration]string{0: "", 2 * time.Hour: "expired on", -2 * time.Hour: "is not good before"} {
		got := strings.Join(p.warnings(time.Now().Add(after)), "\n")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s from now: got %q, want %q", after, got, want)
		}
	}
	if got := (*pair)(nil).warnings(time.Now()); got != nil {
		t.Errorf("no certificate: got %q", got)
	}
}
