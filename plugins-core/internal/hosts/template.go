package hosts

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Names of the files from which an app's configuration of nginx is made, in its source or in its directory.
const (
	SigilTemplate = "nginx.conf.sigil"    // of today
	ShellTemplate = "nginx.conf.template" // of the years before
)

// NginxPlugin is the name of the plugin with the properties of an app's nginx, as plugins and scripts know it.
const NginxPlugin = "nginx-vhosts"

// LockNginx takes the lock that whoever has nginx test and load the files of apps holds.
func LockNginx(ctx context.Context, s settings.Settings) (unlock func(), err error) {
	return app.LockPath(ctx, filepath.Join(s.Data(NginxPlugin), ".lock"))
}

// SigilPathKey is the property that says where the source has its [SigilTemplate].
const SigilPathKey = "nginx-conf-sigil-path"

// SigilPath is where the source of the app of that name has its [SigilTemplate].
func SigilPath(s settings.Settings, name string) string {
	if path, err := CleanSigilPath(property.Get(s, NginxPlugin, name, SigilPathKey)); err == nil && path != "" {
		return path
	}
	return SigilTemplate
}

// CleanSigilPath is a path as it is kept; one with a slash at its begin is below the source's root, too. It may be "".
func CleanSigilPath(path string) (string, error) {
	path = strings.TrimLeft(path, "/")
	if path == "" {
		return "", nil
	}
	if path = filepath.Clean(path); !filepath.IsLocal(path) || path == "." {
		return "", fmt.Errorf("cannot use %q as a path in the source: it leads out of it", path)
	}
	return path, nil
}
