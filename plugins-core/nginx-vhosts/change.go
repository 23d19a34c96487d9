package nginxvhosts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// change is a new configuration of one app on its way to nginx.
type change struct {
	*site
	sides [][]string
	to    int // the side that is to answer
	cert  *pair
	text  []byte // what is to be in nginx.conf; after put and the hooks of plugins, what is in it
	old   []byte // what was in it
	had   bool   // there was something
}

// prepare finds what the app's state files want nginx to serve; nil when that is nothing.
func (s *site) prepare(ctx context.Context) (*change, error) {
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	addresses := s.addresses()
	if len(names) == 0 || len(addresses) == 0 {
		return nil, nil
	}
	cert, err := s.certificate(names)
	if err != nil {
		return nil, err
	}
	at, err := s.ports(cert)
	if err != nil {
		return nil, err
	}
	if len(at.https) == 0 {
		cert = nil // its port mappings are all of http
	}
	if err := s.claim(ctx, names); err != nil {
		return nil, err
	}
	sides, now, older, err := s.readSides()
	if err != nil {
		return nil, err
	}
	var reserved [][]string
	if older || !slices.ContainsFunc(sides, func(side []string) bool { return slices.Equal(side, addresses) }) {
		if reserved, err = s.reserved(ctx); err != nil {
			return nil, err
		}
	}
	ch := &change{site: s, cert: cert}
	ch.sides, ch.to = place(sides, now, addresses, reserved)
	if _, err := s.logLines(); err != nil {
		return nil, fmt.Errorf("cannot serve %q: %w", s.app.Name, err)
	}
	text, err := s.render(ctx, ch.sides, names, cert, at)
	if err != nil {
		return nil, err
	}
	ch.text = []byte(text)
	ch.old, err = os.ReadFile(s.conf())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	ch.had = err == nil
	return ch, nil
}

// put makes the file what it is to be.
func (ch *change) put() error {
	if err := ch.writePages(ch.cert != nil); err != nil {
		return err
	}
	if ch.had && bytes.Equal(ch.old, ch.text) {
		return nil
	}
	return record.Write(ch.conf(), ch.text, 0o644)
}

// revert makes the file what it was. An app that was set aside meanwhile stays so.
func (ch *change) revert() error {
	if ch.had && ch.quarantined() == nil {
		return record.Write(ch.conf(), ch.old, 0o644)
	}
	return record.Remove(ch.conf())
}

// same tells whether nginx has loaded just this before.
func (ch *change) same() bool {
	return ch.had && bytes.Equal(ch.old, ch.text) && ch.fingerprint(ch.cert) == ch.loaded()
}

// settle records that nginx has loaded the change.
func (ch *change) settle() error {
	return errors.Join(ch.writeSides(ch.sides), record.WriteLine(ch.loadedFile(), ch.fingerprint(ch.cert)), ch.forgive())
}

// files lists what nginx reads of the app, beside certificates.
func (s *site) files() []string {
	files, _ := filepath.Glob(s.app.Path("nginx.conf.d/*.conf")) // the pattern is good, so there is no error
	return append(files, s.conf())
}

// fingerprint tells apart what nginx would load for this app.
func (s *site) fingerprint(cert *pair) string {
	sum := sha256.New()
	files := s.files()
	if cert != nil {
		files = append(files, cert.crt, cert.key)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		fmt.Fprintf(sum, "%s %d %v\n", file, len(data), err)
		sum.Write(data)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (s *site) loadedFile() string { return filepath.Join(s.s.Data(pluginName), "loaded", s.app.Name) }

func (s *site) loaded() string {
	data, _ := os.ReadFile(s.loadedFile())
	return string(bytes.TrimSuffix(data, []byte("\n")))
}

// preReload lets plugins edit the file; it tells whether there are any that do.
func (ch *change) preReload(ctx context.Context) (edited bool, err error) {
	edited, err = ch.c.Implemented("nginx-pre-reload")
	if err != nil || !edited {
		return edited, err
	}
	ch.c.Info1("Running nginx-pre-reload")
	if err := ch.c.Trigger(ctx, "nginx-pre-reload", ch.app.Name, ch.app.State("PORT"), "127.0.0.1"); err != nil {
		return edited, err
	}
	ch.text, err = os.ReadFile(ch.conf())
	return edited, err
}

// writePages writes what nginx needs beside the app's file: the page that answers while the app does not, and, once
// an app has a certificate, the server of unknown hosts on the port of https.
func (s *site) writePages(tls bool) error {
	if _, err := plug.WriteFile(s.downFile(), downPage(s.app.Name), 0o644); err != nil {
		return err
	}
	if !tls {
		return nil
	}
	_, err := plug.WriteFile(filepath.Join(s.s.Data(pluginName), tlsDefaultFile), tlsDefault(s.s), 0o644)
	return err
}
