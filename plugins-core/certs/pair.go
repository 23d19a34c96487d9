package certs

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

// pair is the text of a certificate, with those that sign it, and of its key.
type pair struct{ crt, key []byte }

// Limits of what we read: a certificate with its chain has some KiB.
const (
	maxFile    = 1 << 20
	maxMembers = 100
)

// fromTar reads the one .crt and the one .key file of a tar, which may be compressed by gzip. Nothing is unpacked, so no
// member can get anywhere.
func fromTar(r io.Reader) (pair, error) {
	fail := func(err error) (pair, error) { return pair{}, fmt.Errorf("cannot read the tar: %w", err) }
	in := bufio.NewReader(r)
	r = in
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return fail(err)
		}
		r = z
	}
	var p pair
	all := tar.NewReader(io.LimitReader(r, maxMembers*maxFile))
	for n := 0; ; n++ {
		h, err := all.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fail(err)
		}
		if n == maxMembers {
			return fail(fmt.Errorf("it has more than %d members", maxMembers))
		}
		to, kind := &p.crt, ".crt"
		if strings.HasSuffix(h.Name, ".key") {
			to, kind = &p.key, ".key"
		}
		switch {
		case !strings.HasSuffix(h.Name, kind):
			continue
		case h.Typeflag != tar.TypeReg || h.Size > maxFile:
			return fail(fmt.Errorf("%q has to be a regular file of at most %d bytes", h.Name, maxFile))
		case *to != nil:
			//lint:ignore ST1005 scripts know this text
			return pair{}, fmt.Errorf("Tar archive contains more than one %s file", kind)
		}
		if *to, err = io.ReadAll(all); err != nil {
			return fail(err)
		}
	}
	for kind, text := range map[string][]byte{".crt": p.crt, ".key": p.key} {
		if text == nil {
			//lint:ignore ST1005 scripts know this text
			return pair{}, fmt.Errorf("Tar archive is missing %s file", kind)
		}
	}
	return p, nil
}

func fromFiles(crt, key string) (p pair, err error) {
	if p.crt, err = readFile(crt); err == nil {
		p.key, err = readFile(key)
	}
	return p, err
}

func readFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read a certificate: %w", err)
	case !st.Mode().IsRegular() || st.Size() > maxFile:
		return nil, fmt.Errorf("cannot read %q: it has to be a regular file of at most %d bytes", path, maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read a certificate: %w; give both in a tar on stdin", err)
	}
	return data, nil
}

// check refuses what nginx would refuse, and a key that is of another certificate.
func (p pair) check() (*x509.Certificate, error) {
	cert, err := parse(p.crt)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(p.key); block == nil {
		return nil, errors.New("cannot use the key: it is no PEM key")
	}
	if _, err := tls.X509KeyPair(p.crt, p.key); err != nil {
		if strings.Contains(err.Error(), "does not match") {
			return nil, errors.New("cannot use the key: it is not that of the certificate")
		}
		return nil, fmt.Errorf("cannot use the key: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	return cert, nil
}

// parse reads the first certificate of a chain, and makes sure that the others are certificates too.
func parse(text []byte) (first *x509.Certificate, err error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("cannot use the certificate: %w", err)
		}
		if first == nil {
			first = cert
		}
	}
	if first == nil {
		return nil, errors.New("cannot use the certificate: it is no PEM certificate")
	}
	return first, nil
}

// keep returns what the app has now; what it has not is nil.
func keep(a app.App) (p pair, err error) {
	for file, to := range map[string]*[]byte{app.CertificateFile: &p.crt, app.KeyFile: &p.key} {
		data, err := os.ReadFile(a.Path(file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, fmt.Errorf("cannot keep the certificate of %q: %w", a.Name, err)
		}
		if err == nil {
			*to = data
		}
	}
	return p, nil
}

// restore makes the pair the app's again; that of an app which had none is none.
func (p pair) restore(a app.App) error {
	if p.crt == nil && p.key == nil {
		return a.RemoveCertificate()
	}
	return a.SetCertificate(p.crt, p.key)
}

// selfSigned makes a key and a certificate for name that is signed by itself, and what asks somebody else to sign one.
func selfSigned(name string, now time.Time) (p pair, request []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return p, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return p, nil, err
	}
	subject := pkix.Name{CommonName: name}
	if len(name) > 64 { // as long as a common name may be
		subject = pkix.Name{Organization: []string{"self-signed"}}
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: subject, DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	crt, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return p, nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject, DNSNames: []string{name}}, key)
	if err != nil {
		return p, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return p, nil, err
	}
	block := func(kind string, data []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}) }
	return pair{crt: block("CERTIFICATE", crt), key: block("PRIVATE KEY", der)}, block("CERTIFICATE REQUEST", csr), nil
}
