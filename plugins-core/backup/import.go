package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

// file is one that is saved and restored.
type file struct {
	name  string
	mode  fs.FileMode
	older string                  // another name that the original saved it under
	check func(text string) error // nil: whoever reads the file checks it
	keep  bool                    // one that is there stays
}

const keysFile = ".ssh/authorized_keys"

// hostFiles are those in DOKKU_ROOT. What logins run was set when this host was, and its path may differ.
var hostFiles = []file{
	{name: ".sshcommand", mode: 0o644, keep: true},
	{name: keysFile},
	{name: "HOSTNAME", mode: 0o644, check: checkHosts},
	{name: hosts.File, mode: 0o644, check: checkHosts},
	{name: "ENV", mode: 0o600},
	{name: "tls/server.crt", mode: 0o644},
	{name: "tls/server.key", mode: 0o600},
}

// appFiles are those in an app's directory, but for its certificate.
var appFiles = []file{
	{name: "ENV", mode: 0o600},
	{name: hosts.File, mode: 0o644, check: checkHosts},
	{name: "DOKKU_SCALE", mode: 0o644},
	{name: "CHECKS", mode: 0o644},
	{name: "DOCKER_OPTIONS_BUILD", mode: 0o644},
	{name: "DOCKER_OPTIONS_DEPLOY", mode: 0o644},
	{name: "DOCKER_OPTIONS_RUN", mode: 0o644},
	{name: "DOCKER_OPTIONS_PROCESSES", mode: 0o644},
}

// certificateFiles are those of its certificate and its key.
var certificateFiles = []file{
	{name: app.CertificateFile, mode: 0o644, older: "ssl/server.crt"},
	{name: app.KeyFile, mode: 0o600, older: "ssl/server.key"},
}

func checkHosts(text string) error {
	for _, name := range strings.Fields(text) {
		if !hosts.Valid(name) && net.ParseIP(name) == nil {
			return fmt.Errorf("%.80q is no host name", name)
		}
	}
	return nil
}

// importHook takes core's files out of the unpacked archive.
func importHook(ctx context.Context, c *plug.C) error {
	names, err := listed(c)
	if err != nil {
		return err
	}
	from, err := os.OpenRoot(c.Args[1])
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the backup of a host without any files
	}
	if err != nil {
		return fmt.Errorf("cannot read the backup: %w", err)
	}
	defer from.Close()
	root := c.Settings().Root()
	var errs []error
	for _, f := range hostFiles {
		switch f.name {
		case keysFile:
			errs = append(errs, importKeys(ctx, c, from))
		case "ENV":
			unlock, err := app.LockPath(ctx, filepath.Join(root, ".env.lock"))
			if err != nil {
				return err
			}
			errs = append(errs, restoreFile(from, f, "", root))
			unlock()
		default:
			errs = append(errs, restoreFile(from, f, "", root))
		}
	}
	for _, name := range names {
		a, err := app.Find(root, name)
		if err != nil {
			continue // it was told that this is no app's name
		}
		unlock, err := a.LockFile(ctx, ".env.lock")
		if err != nil {
			return err
		}
		for _, f := range appFiles {
			errs = append(errs, restoreFile(from, f, name, a.Dir()))
		}
		unlock()
		errs = append(errs, importCertificate(ctx, c, from, a))
	}
	return errors.Join(errs...)
}

// importCertificate gives an app the certificate of the archive and its key, in one moment. Half of them is kept for who
// has the other.
func importCertificate(ctx context.Context, c *plug.C, from *os.Root, a app.App) error {
	var pair [2][]byte
	for i, f := range certificateFiles {
		var err error
		if pair[i], err = readFile(from, f, a.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot restore %q: %w", a.Path(f.name), err)
		}
	}
	if pair[0] != nil && pair[1] != nil {
		return c.Lock(ctx, a, func(*plug.C) error { return a.SetCertificate(pair[0], pair[1]) })
	}
	var errs []error
	for _, f := range certificateFiles {
		errs = append(errs, restoreFile(from, f, a.Name, a.Dir()))
	}
	return errors.Join(errs...)
}

// readFile reads one file of the archive's directory dir, under its name or the one that it had.
func readFile(from *os.Root, f file, dir string) ([]byte, error) {
	data, err := from.ReadFile(filepath.Join(dir, f.name))
	if errors.Is(err, fs.ErrNotExist) && f.older != "" {
		data, err = from.ReadFile(filepath.Join(dir, f.older))
	}
	return data, err
}

// restoreFile puts one file of the archive's directory dir into the directory target. That it is not in the archive is
// fine.
func restoreFile(from *os.Root, f file, dir, target string) error {
	path := filepath.Join(target, f.name)
	data, err := readFile(from, f, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot restore %q: %w", path, err)
	}
	if _, err := os.Lstat(path); err == nil && f.keep {
		return nil
	}
	if f.name == "ENV" { // old ones may have other quotes
		vars, err := envfile.Parse(string(data))
		if err != nil {
			return fmt.Errorf("cannot restore %q: %w", path, err)
		}
		return envfile.Write(path, vars)
	}
	if f.check != nil {
		if err := f.check(string(data)); err != nil {
			return fmt.Errorf("cannot restore %q: %w", path, err)
		}
	}
	if err := record.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return record.Write(path, data, f.mode)
}

// importKeys lets those log in whose keys the archive has and this host has not, with nothing but the command. Lines that
// sshcommand has not written are not taken: such a key would open a shell.
func importKeys(ctx context.Context, c *plug.C, from *os.Root) error {
	data, err := from.ReadFile(keysFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot restore the keys: %w", err)
	}
	root := c.Settings().Root()
	text, err := os.ReadFile(filepath.Join(root, keysFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot restore the keys: %w", err)
	}
	there := authkeys.Parse(text)
	archived := authkeys.Parse(data)
	entries := archived.Entries()
	if archived.Remove(func(authkeys.Entry) bool { return true }); archived.HasKeys() {
		c.Warn("keys that sshcommand has not written are not imported")
	}
	base := settings.Set(c.Env, "SSHCOMMAND_CHECK_DUPLICATE_NAME", "false")
	var errs []error
	for _, e := range entries {
		key, err := authkeys.ParseKey([]byte(e.Key))
		if err == nil && there.HasKey(key) {
			continue
		}
		if err == nil {
			env := base
			if e.Options != "" {
				env = settings.Set(base, "SSHCOMMAND_ALLOWED_KEYS", e.Options)
			}
			err = proc.Run(ctx, proc.Cmd{
				Args: []string{"sshcommand", "acl-add", c.Settings().User(), e.Name},
				Env:  env, Stdin: strings.NewReader(e.Key + "\n"), Stdout: c.Stderr, Stderr: c.Stderr,
			})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot restore the key of %q: %w", e.Name, err))
		}
	}
	return errors.Join(errs...)
}
