package nginxvhosts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// build has nginx serve what the app's state files name, and goes back to what was when that fails.
func (s *site) build(ctx context.Context) error {
	// One at a time on the whole host: nginx tests and loads the files of all apps together. What is to be served is
	// read under the lock, so that nobody who waited for it brings back what was served before.
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	names, err := s.names()
	if err != nil {
		return err
	}
	addresses := s.addresses()
	if len(names) == 0 || len(addresses) == 0 {
		return s.clearLocked(ctx)
	}
	cert, err := s.certificate(names)
	if err != nil {
		return err
	}
	if err := s.claim(names); err != nil {
		return err
	}
	g, green, err := s.readGroups()
	if err != nil {
		return err
	}
	g, toGreen := place(g, green, addresses)
	if err := checkAccess(masterPID(s.s), s.switchFile()); err != nil {
		return err
	}
	if err := s.install(ctx, s.text(g, names, cert), cert); err != nil {
		return err
	}
	if err := s.writeGroups(g); err != nil {
		return err
	}
	if toGreen {
		return record.WriteLine(s.switchFile(), s.app.Name)
	}
	return record.Remove(s.switchFile())
}

// place puts addresses in one of the groups and tells which is to answer: the one that has them already, else the one
// that is idle now. An app without groups gets both the same.
func place(g groups, green bool, addresses []string) (groups, bool) {
	switch {
	case len(g.Blue) == 0 || len(g.Green) == 0:
		return groups{Blue: addresses, Green: addresses}, false
	case green && slices.Equal(g.Green, addresses):
		return g, true
	case slices.Equal(g.Blue, addresses):
		return g, false
	case slices.Equal(g.Green, addresses):
		return g, true
	case green:
		g.Blue = addresses
		return g, false
	}
	g.Green = addresses
	return g, true
}

func (s *site) lock(ctx context.Context) (unlock func(), err error) {
	for _, dir := range []string{"green", "groups", "loaded"} {
		if err := record.MkdirAll(filepath.Join(s.s.Data(pluginName), dir), 0o755); err != nil {
			return nil, err
		}
	}
	return app.LockPath(ctx, filepath.Join(s.s.Data(pluginName), ".lock"))
}

func (s *site) groupsFile() string { return filepath.Join(s.s.Data(pluginName), "groups", s.app.Name) }

// readGroups returns the app's groups and whether green answers.
func (s *site) readGroups() (g groups, green bool, err error) {
	data, err := os.ReadFile(s.groupsFile())
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return g, false, fmt.Errorf("cannot read the upstreams of %q: %w", s.app.Name, err)
	}
	_, err = os.Stat(s.switchFile())
	return g, err == nil, nil
}

func (s *site) writeGroups(g groups) error {
	data, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return record.Write(s.groupsFile(), append(data, '\n'), 0o644)
}

// install puts text in place, lets plugins edit it, and has nginx test and load it. When nginx refuses it, or has
// loaded just this before, nothing is reloaded.
func (s *site) install(ctx context.Context, text string, cert *pair) error {
	old, err := os.ReadFile(s.conf())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	had := err == nil
	if !had || !bytes.Equal(old, []byte(text)) {
		if err := record.Write(s.conf(), []byte(text), 0o644); err != nil {
			return err
		}
	}
	edited, err := s.c.Implemented("nginx-pre-reload")
	if err == nil && edited {
		s.c.Info1("Running nginx-pre-reload")
		err = s.c.Trigger(ctx, "nginx-pre-reload", s.app.Name, s.app.State("PORT"), "127.0.0.1")
	}
	print := s.fingerprint(cert)
	if err == nil && !edited && had && bytes.Equal(old, []byte(text)) && print == s.loaded() {
		return nil
	}
	if err == nil {
		// From here until the reload is done nobody knows what nginx has loaded.
		err = record.Remove(s.loadedFile())
	}
	if err == nil {
		err = testConfig(ctx, s.c)
	}
	if err == nil {
		err = reload(ctx, s.c)
	}
	if err != nil {
		if had {
			return errors.Join(err, record.Write(s.conf(), old, 0o644))
		}
		return errors.Join(err, record.Remove(s.conf()))
	}
	return record.WriteLine(s.loadedFile(), print)
}

// fingerprint tells apart what nginx would load for this app.
func (s *site) fingerprint(cert *pair) string {
	sum := sha256.New()
	files, _ := filepath.Glob(s.app.Path("nginx.conf.d/*.conf")) // the pattern is good, so there is no error
	files = append(files, s.conf())
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
	return string(trimLine(data))
}

func trimLine(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		return b[:n-1]
	}
	return b
}

// clear takes the app out of nginx. Without a configuration there is nothing to do.
func (s *site) clear(ctx context.Context) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.clearLocked(ctx)
}

// clearLocked reloads before it forgets anything else: until then nginx goes by the switch file, and a second call
// finds what is left to do.
func (s *site) clearLocked(ctx context.Context) error {
	_, noConf := os.Stat(s.conf())
	_, notLoaded := os.Stat(s.loadedFile())
	if err := record.Remove(s.conf()); err != nil {
		return err
	}
	if noConf == nil || notLoaded == nil {
		if err := reload(ctx, s.c); err != nil {
			return err
		}
	}
	return errors.Join(record.Remove(s.switchFile()), record.Remove(s.groupsFile()), record.Remove(s.loadedFile()))
}
