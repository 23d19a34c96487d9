// Package hosts knows by which host names an app is served (toolchain-2014, section 7.1).
//
// DOKKU_ROOT/APP/VHOST has the app's own names, one a line. Without that file it gets a name below each name of
// DOKKU_ROOT/VHOST. Variables of the app turn names off altogether.
package hosts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// File is the name of the files with host names, in DOKKU_ROOT and in an app's directory.
const File = "VHOST"

// Variables of an app, or of all apps, that have it served without host names.
const (
	NoVhost      = "NO_VHOST"
	DisableProxy = "DOKKU_DISABLE_PROXY"
)

// Valid tells whether s is a host name, or one with "*." before it: letters, digits and hyphens in parts of at most
// 63, 253 in all. Nothing else may reach nginx' files.
func Valid(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if s == "" || len(s) > 253 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || len(part) > 63 || part[0] == '-' || part[len(part)-1] == '-' {
			return false
		}
		for _, r := range part {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' {
				return false
			}
		}
	}
	return true
}

// Usable is [Valid] without addresses: what an app may be served by.
func Usable(s string) bool { return Valid(s) && net.ParseIP(s) == nil }

// Default is the host name of an app under the global name vhost: "" when vhost is an address, which has no names below
// it. A name with a dot is one already: its own, or one under vhost in full.
func Default(app, vhost string) string {
	if net.ParseIP(vhost) != nil {
		return ""
	}
	if strings.Contains(app, ".") {
		return app
	}
	return app + "." + vhost
}

// Global reads the host names, or the address, in the file VHOST or HOSTNAME of the root directory; none when there is
// no file. A star has no place in it, since names are made of it by putting the app's before.
func Global(root, file string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(root, file))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := strings.Fields(string(data))
	for _, name := range names {
		if net.ParseIP(name) == nil && (!Valid(name) || name[0] == '*') {
			return nil, fmt.Errorf("cannot use %q in %s: it is no host name", name, filepath.Join(root, file))
		}
	}
	return names, nil
}

// Own returns the names in the app's VHOST file, each once, and whether there is one.
func Own(a app.App) (names []string, ok bool, err error) {
	data, err := os.ReadFile(a.Path(File))
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("cannot read the host names of %q: %w", a.Name, err)
	}
	for name := range strings.FieldsSeq(string(data)) {
		if !Usable(name) {
			return nil, true, fmt.Errorf("cannot serve %q: %q in its VHOST file is no host name", a.Name, name)
		}
		if !Has(names, name) {
			names = append(names, name)
		}
	}
	return names, true, nil
}

// Has tells whether the list has the name, in whatever case it is written.
func Has(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// On tells whether the app is served by host names at all, by what its variables say.
func On(a app.App) (bool, error) {
	vars, err := a.MergedEnv()
	if err != nil {
		return false, err
	}
	for _, key := range []string{NoVhost, DisableProxy} {
		if v := vars[key]; v != "" && v != "0" {
			return false, nil
		}
	}
	return true, nil
}

// Of returns the host names by which the app is served; none when host names are off.
func Of(ctx context.Context, c *plug.C, a app.App) ([]string, error) {
	if on, err := On(a); err != nil || !on {
		return nil, err
	}
	names, own, err := Own(a)
	if err != nil || own {
		return names, err
	}
	return Defaults(ctx, c, a)
}

// Defaults returns the names of an app that has none of its own. Plugins may give another name in the place of one
// (nginx-hostname).
func Defaults(ctx context.Context, c *plug.C, a app.App) ([]string, error) {
	global, err := Global(a.Root, File)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, vhost := range global {
		name := Default(a.Name, vhost)
		if name == "" {
			continue
		}
		sub, _, _ := strings.Cut(name, "."+vhost)
		other, err := c.FirstLine(ctx, "nginx-hostname", a.Name, sub, vhost)
		if err != nil {
			return nil, err
		}
		if other != "" {
			if !Usable(other) {
				return nil, fmt.Errorf("cannot serve %q: a plugin's nginx-hostname gives it the name %q, which is no host name", a.Name, other)
			}
			name = other
		}
		if !Has(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Owner returns which app other than a has the name; "": none. What is wrong with another app's names is its own affair.
func Owner(ctx context.Context, c *plug.C, a app.App, name string) (string, error) {
	apps, err := app.List(a.Root)
	if err != nil {
		return "", err
	}
	for _, other := range apps {
		if other == a.Name {
			continue
		}
		// Names that are off for now count all the same: they come back.
		o := app.App{Name: other, Root: a.Root}
		names, own, err := Own(o)
		if err == nil && !own {
			names, err = Defaults(ctx, c, o)
		}
		if err == nil && Has(names, name) {
			return other, nil
		}
	}
	return "", nil
}
