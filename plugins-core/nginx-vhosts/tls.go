package nginxvhosts

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pair is a certificate and its key, as files.
type pair struct{ crt, key string }

// certificate returns the pair that the app is served with: its own, or the global one if that is good for all names;
// nil when there is none.
func (s *site) certificate(names []string) (*pair, error) {
	own := &pair{crt: s.app.Path("tls/server.crt"), key: s.app.Path("tls/server.key")}
	if own.there() {
		_, err := own.read()
		return own, err
	}
	global := &pair{crt: filepath.Join(s.app.Root, "tls/server.crt"), key: filepath.Join(s.app.Root, "tls/server.key")}
	if !global.there() {
		return nil, nil
	}
	cert, err := global.read()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !covers(cert, name) {
			return nil, nil
		}
	}
	return global, nil
}

func (p *pair) there() bool {
	_, err1 := os.Stat(p.crt)
	_, err2 := os.Stat(p.key)
	return err1 == nil && err2 == nil
}

func (p *pair) read() (*x509.Certificate, error) {
	data, err := os.ReadFile(p.crt)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("cannot use %q: it is no PEM certificate", p.crt)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot use %q: %w", p.crt, err)
	}
	return cert, nil
}

// covers tells whether the certificate is for name: by its alternative names, or by the common name where it has none,
// as old certificates do. A star stands for one label.
func covers(cert *x509.Certificate, name string) bool {
	if cert.VerifyHostname(name) == nil {
		return true
	}
	if len(cert.DNSNames) > 0 {
		return false
	}
	cn := strings.ToLower(cert.Subject.CommonName)
	name = strings.ToLower(name)
	if rest, ok := strings.CutPrefix(cn, "*."); ok {
		_, tail, found := strings.Cut(name, ".")
		return found && tail == rest
	}
	return cn == name
}
