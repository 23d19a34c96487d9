// Package certs is the plugin of the commands about the certificates of apps, which are APP/tls/server.crt and
// APP/tls/server.key. Who serves them is the proxy's plugin.
package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

const csrFile = "tls/server.csr"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "certs",
		Description: "keeps the certificates of apps",
		Hooks:       map[string]plug.Hook{"certs-exists": existsHook, "report": reporter().Hook},
		Commands: []plug.Command{
			{Name: "certs:add", Args: "APP [CRT KEY]", Help: "Give an application a certificate, from two files or a tar on stdin", Run: add(false)},
			{Name: "certs:update", Args: "APP [CRT KEY]", Help: "Replace the certificate of an application", Run: add(true)},
			{Name: "nginx:import-ssl", Args: "APP", Help: "Give an application the certificate of a tar on stdin", Run: add(false)},
			{Name: "certs:remove", Args: "APP", Help: "Remove the certificate of an application", Run: remove},
			{Name: "certs:show", Args: "APP crt|key", Help: "Print the certificate of an application, or its key", Run: show},
			{Name: "certs:generate", Args: "APP NAME", Help: "Give an application a certificate that it has signed itself", Run: generate},
			{Name: "certs:report", Args: reporter().Args(), Help: "Show the certificates of applications", Run: reporter().Run, Aliases: []string{"certs:info", "certs"}},
		},
	}
}

// has tells whether the app has a certificate of its own.
func has(a app.App) bool {
	for _, file := range []string{app.CertificateFile, app.KeyFile} {
		if _, err := os.Stat(a.Path(file)); err != nil {
			return false
		}
	}
	return true
}

func existsHook(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err == nil {
		fmt.Fprintln(c.Stdout, has(a))
	}
	return err
}

// add is certs:add and, for an app that has one, certs:update.
func add(update bool) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		if update && !has(a) {
			return fmt.Errorf("%s does not have an SSL endpoint", a.Name)
		}
		p, err := given(ctx, c)
		if err != nil {
			return err
		}
		cert, err := p.check()
		if err != nil {
			return err
		}
		verb := "Adding SSL endpoint to"
		if has(a) {
			verb = "Updating SSL endpoint for"
		}
		c.Info1("%s %s", verb, a.Name)
		return c.Lock(ctx, a, func(c *plug.C) error { return put(ctx, c, a, p, cert) })
	}
}

// given reads the pair from the files that the words name, or from the tar on stdin.
func given(ctx context.Context, c *plug.C) (pair, error) {
	switch len(c.Args) {
	case 1:
		if c.Stdin == nil {
			return pair{}, c.Usage("cannot read a certificate: give a tar with a .crt and a .key file on stdin")
		}
		return fromTar(c.Stdin)
	case 3:
		if c.Verb() == "nginx:import-ssl" {
			break
		}
		// We read files that the caller may have no right to, such as the key of another app.
		if err := c.Admin(ctx); err != nil {
			return pair{}, err
		}
		return fromFiles(c.Args[1], c.Args[2])
	}
	return pair{}, c.Usage("cannot read a certificate: give a file of it and one of its key, or a tar on stdin")
}

// put makes the pair the app's; when the proxy does not want it, all is as it was.
func put(ctx context.Context, c *plug.C, a app.App, p pair, cert *x509.Certificate) error {
	before, err := keep(a)
	if err != nil {
		return err
	}
	if err := a.SetCertificate(p.crt, p.key); err != nil {
		return errors.Join(err, before.restore(a))
	}
	warn(ctx, c, a, cert, time.Now())
	if err := deploy.Reproxy(ctx, c, a); err != nil {
		return errors.Join(err, before.restore(a))
	}
	return c.Trigger(ctx, "post-certs-update", a.Name)
}

// warn tells what clients will complain of.
func warn(ctx context.Context, c *plug.C, a app.App, cert *x509.Certificate, now time.Time) {
	if now.After(cert.NotAfter) {
		c.Warn("the certificate has expired on %s: clients will refuse it", cert.NotAfter.Format(time.DateOnly))
	}
	if now.Before(cert.NotBefore) {
		c.Warn("the certificate is not good before %s: clients will refuse it till then", cert.NotBefore.Format(time.DateOnly))
	}
	names, err := c.Query(ctx, "domains-list", a.Name)
	if err != nil {
		return
	}
	for name := range strings.FieldsSeq(names) {
		if !hosts.Covers(cert, name) {
			c.Warn("the certificate is not for %s: clients will refuse it there", name)
		}
	}
}

func remove(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) > 1 {
		return c.Usage("cannot use %q: too many words", c.Args[1])
	}
	return c.Lock(ctx, a, func(c *plug.C) error {
		before, err := keep(a)
		if err != nil {
			return err
		}
		if before.crt == nil && before.key == nil {
			return fmt.Errorf("%s does not have an SSL endpoint", a.Name)
		}
		c.Info1("Removing SSL endpoint from %s", a.Name)
		if err := a.RemoveCertificate(); err != nil {
			return err
		}
		if err := deploy.Reproxy(ctx, c, a); err != nil {
			return errors.Join(err, before.restore(a))
		}
		return c.Trigger(ctx, "post-certs-remove", a.Name)
	})
}

func show(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	file, ok := map[string]string{"crt": app.CertificateFile, "key": app.KeyFile}[c.Arg(1)]
	if !ok || len(c.Args) > 2 {
		return c.Usage("cannot show %q: say crt or key", c.Arg(1))
	}
	data, err := os.ReadFile(a.Path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not have an SSL endpoint", a.Name)
	}
	if err != nil {
		return fmt.Errorf("cannot read the certificate of %q: %w", a.Name, err)
	}
	_, err = c.Stdout.Write(data)
	return err
}
