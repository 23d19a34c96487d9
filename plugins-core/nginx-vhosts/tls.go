package nginxvhosts

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
)

// pair is a certificate and its key, as files, and the names of the app that are served with it.
type pair struct {
	crt, key string
	names    []string
}

// certificate returns the pair that the app is served with: its own, or for the names that it is good for the global
// one; nil when there is none. With an error it is the pair that there is something wrong with.
func (s *site) certificate(names []string) (*pair, error) {
	own := &pair{crt: s.app.Path("tls/server.crt"), key: s.app.Path("tls/server.key"), names: names}
	if own.there() {
		return own, own.check(s.mastersKeys())
	}
	global := &pair{crt: filepath.Join(s.app.Root, "tls/server.crt"), key: filepath.Join(s.app.Root, "tls/server.key")}
	if !global.there() {
		return nil, nil
	}
	cert, err := global.read()
	if err != nil {
		return global, err
	}
	for _, name := range names {
		if hosts.Covers(cert, name) {
			global.names = append(global.names, name)
		}
	}
	if len(global.names) == 0 {
		return nil, nil
	}
	return global, global.check(s.mastersKeys())
}

// mastersKeys tells whether nginx reads keys as root, who may see more than we do, and writes logs as root.
func (s *site) mastersKeys() bool {
	who, err := identityOf(masterPID(s.s))
	return err != nil || who.uid == 0
}

// split parts names into those that are served with the pair and the others.
func (p *pair) split(names []string) (secure, plain []string) {
	for _, name := range names {
		if p != nil && hosts.Has(p.names, name) {
			secure = append(secure, name)
		} else {
			plain = append(plain, name)
		}
	}
	return secure, plain
}

func (p *pair) there() bool {
	_, err1 := os.Stat(p.crt)
	_, err2 := os.Stat(p.key)
	return err1 == nil && err2 == nil
}

// check refuses a pair that nginx would refuse, in words that say what to do. A kind of key that Go does not know is left to
// nginx, and so is one that only root can read if that is who nginx reads it as.
func (p *pair) check(rootReads bool) error {
	crt, err := os.ReadFile(p.crt)
	if err != nil {
		return fmt.Errorf("cannot read the certificate: %w; have it readable by the system user", err)
	}
	if _, err := p.read(); err != nil {
		return err
	}
	key, err := os.ReadFile(p.key)
	if errors.Is(err, os.ErrPermission) && rootReads {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the key of the certificate: %w; have it readable by the system user", err)
	}
	if block, _ := pem.Decode(key); block == nil {
		return fmt.Errorf("cannot use %q: it is no PEM key", p.key)
	}
	if _, err := tls.X509KeyPair(crt, key); err != nil && strings.Contains(err.Error(), "does not match") {
		return fmt.Errorf("cannot use %q: it is not the key of the certificate %q; put there the two that belong together", p.key, p.crt)
	}
	return nil
}

// warnings tells what clients will complain of.
func (p *pair) warnings(now time.Time) []string {
	if p == nil {
		return nil
	}
	cert, err := p.read()
	if err != nil {
		return nil
	}
	const day = "2 January 2006"
	switch {
	case now.After(cert.NotAfter):
		return []string{fmt.Sprintf("the certificate %q expired on %s: clients will refuse it; put a new one there", p.crt, cert.NotAfter.Format(day))}
	case now.Before(cert.NotBefore):
		return []string{fmt.Sprintf("the certificate %q is not good before %s: clients will refuse it till then", p.crt, cert.NotBefore.Format(day))}
	}
	return nil
}

// half names the file of the app's own pair that is there without the other, and the one that is missing.
func (s *site) half() (there, missing string) {
	crt, key := s.app.Path("tls/server.crt"), s.app.Path("tls/server.key")
	_, err1 := os.Stat(crt)
	_, err2 := os.Stat(key)
	switch {
	case err1 == nil && os.IsNotExist(err2):
		return crt, key
	case err2 == nil && os.IsNotExist(err1):
		return key, crt
	}
	return "", ""
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
