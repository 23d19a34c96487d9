package hosts

import (
	"crypto/x509"
	"strings"
)

// Covers tells whether the certificate is for name: by its alternative names, or by the common name where it has none,
// as old certificates do. A star stands for one label.
func Covers(cert *x509.Certificate, name string) bool {
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
