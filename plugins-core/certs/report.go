package certs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

func reporter() plug.Reporter { return plug.Reporter{Area: "ssl", Of: reportOf} }

func reportOf(_ context.Context, _ *plug.C, a app.App) (plug.Facts, error) {
	facts := plug.Facts{{Name: "dir", Value: a.Path("tls")}, {Name: "enabled", Value: fmt.Sprint(has(a))}}
	text, err := os.ReadFile(a.Path(app.CertificateFile))
	if errors.Is(err, fs.ErrNotExist) {
		text, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate of %q: %w", a.Name, err)
	}
	values := map[string]string{}
	if text != nil {
		cert, err := parse(text)
		if err != nil {
			return nil, err
		}
		names := cert.DNSNames
		if len(names) == 0 {
			names = []string{cert.Subject.CommonName}
		}
		verified := "signed by somebody else"
		if cert.Subject.String() == cert.Issuer.String() {
			verified = "self signed"
		}
		values = map[string]string{"hostnames": strings.Join(names, " "), "issuer": cert.Issuer.String(), "subject": cert.Subject.String(),
			"starts at": cert.NotBefore.UTC().Format(time.RFC3339), "expires at": cert.NotAfter.UTC().Format(time.RFC3339), "verified": verified}
	}
	for _, name := range []string{"hostnames", "expires at", "issuer", "starts at", "subject", "verified"} {
		facts = append(facts, plug.Fact{Name: name, Value: values[name]})
	}
	return facts, nil
}

// generate gives the app a certificate for a name, and the name if it does not have it.
func generate(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	name := c.Arg(1)
	switch {
	case len(c.Args) != 2:
		return c.Usage("cannot make a certificate for %q: give one host name", a.Name)
	case !hosts.Usable(name):
		return fmt.Errorf("cannot make a certificate for %q: it is no host name", name)
	case has(a):
		return fmt.Errorf("cannot make a certificate for %q: it has one; remove it first: dokku certs:remove %s", a.Name, a.Name)
	}
	p, request, err := selfSigned(name, time.Now())
	if err != nil {
		return fmt.Errorf("cannot make a certificate for %q: %w", name, err)
	}
	cert, err := p.check()
	if err != nil {
		return err
	}
	c.Info1("Adding a self-signed SSL endpoint to %s", a.Name)
	return c.Lock(ctx, a, func(c *plug.C) error {
		names, err := c.Query(ctx, "domains-list", a.Name)
		if err != nil {
			return err
		}
		if !slices.Contains(strings.Fields(names), name) {
			if err := c.Trigger(ctx, "domains-add", a.Name, name); err != nil {
				return err
			}
		}
		if err := put(ctx, c, a, p, cert); err != nil {
			return err
		}
		return record.Write(a.Path(csrFile), request, 0o644)
	})
}
