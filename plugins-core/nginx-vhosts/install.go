package nginxvhosts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// httpFile is included by Debian's nginx.conf, inside its http block.
const httpFile = "/etc/nginx/conf.d/dokku.conf"

// install wires a real host, as root and as often as one likes (section 4.7): nginx includes the files of the apps, the
// system user may test and reload it, and the host knows its name. A private instance has an nginx of its own, named by
// the reload command, and nothing is done to the host's.
func install(ctx context.Context, c *plug.C) error {
	s := c.Settings()
	if s.Get(settings.NginxReload, "") != "" {
		return nil
	}
	if err := errors.Join(writeNames(ctx, c), makeReadyDir(s)); err != nil {
		return err
	}
	var made []string // new files of nginx', which go again if it does not want them
	changed, err := writeOnce(httpFile, httpConfig(s))
	if err != nil {
		return err
	}
	if changed {
		made = append(made, httpFile)
	}
	timeout, err := writeShutdownTimeout("/etc/nginx")
	if err != nil {
		return err
	}
	if timeout != "" {
		made = append(made, timeout)
	}
	if err := writeSudoers(c); err != nil {
		return err
	}
	if err := testConfig(ctx, c); err != nil {
		for _, file := range made {
			err = errors.Join(err, record.Remove(file))
		}
		return err
	}
	if master := masterPID(s); len(workers(master)) > 0 {
		// What its unit says counts from its next start on.
		if err := raiseFiles(master, openFiles); err != nil {
			c.Warn("cannot raise nginx' limit of open files: %v; restart it before there are 500 apps", err)
		}
		if len(made) > 0 {
			if err := reload(ctx, c); err != nil {
				return err
			}
		}
	}
	return writeDropIn(ctx, c, "/etc", "/lib/systemd/system/nginx.service", "/usr/lib/systemd/system/nginx.service", "/etc/systemd/system/nginx.service")
}

// writeOnce writes a file that admins may edit: one that is there is left as it is.
func writeOnce(path, text string) (changed bool, err error) {
	if _, err := os.Stat(path); err == nil {
		return false, nil
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return false, fmt.Errorf("cannot set up nginx: %w; install nginx first", err)
	}
	return true, record.Write(path, []byte(text), 0o644)
}

// writeSudoers lets the group test and reload nginx, in every way that old and new plugins do it, and nothing else.
func writeSudoers(c *plug.C) error {
	group := c.Settings().Group()
	var b strings.Builder
	fmt.Fprintf(&b, "Defaults:%%%s !requiretty\n", group)
	commands := []string{"/usr/sbin/nginx -t", "/usr/sbin/nginx -s reload", "/etc/init.d/nginx reload",
		"/bin/systemctl reload nginx", "/usr/bin/systemctl reload nginx", "/usr/sbin/service nginx reload"}
	fmt.Fprintf(&b, "%%%s ALL=(root) NOPASSWD: %s\n", group, strings.Join(commands, ", "))
	if _, err := os.Stat("/etc/sudoers.d"); err != nil {
		return fmt.Errorf("cannot let %s reload nginx: %w; install sudo first", group, err)
	}
	_, err := plug.WriteFile("/etc/sudoers.d/dokku-nginx", b.String(), 0o440)
	return err
}

// writeNames records the host's name, and uses it for the apps' names when the world knows it.
func writeNames(ctx context.Context, c *plug.C) error {
	s := c.Settings()
	file := filepath.Join(s.Root(), "HOSTNAME")
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	if cname, err := net.DefaultResolver.LookupCNAME(ctx, host); err == nil && strings.Contains(strings.TrimSuffix(cname, "."), ".") {
		host = strings.TrimSuffix(cname, ".")
	}
	if err := writeOwned(s, file, host); err != nil {
		return err
	}
	vhost := filepath.Join(s.Root(), "VHOST")
	if _, err := os.Stat(vhost); err == nil || !strings.Contains(host, ".") {
		return nil
	}
	if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil {
		return nil
	}
	return writeOwned(s, vhost, host)
}

func writeOwned(s settings.Settings, file, line string) error {
	if err := record.WriteLine(file, line); err != nil {
		return err
	}
	u, err := user.Lookup(s.User())
	if err != nil {
		return err
	}
	var uid, gid int
	if _, err := fmt.Sscan(u.Uid, &uid); err != nil {
		return err
	}
	if _, err := fmt.Sscan(u.Gid, &gid); err != nil {
		return err
	}
	return os.Chown(file, uid, gid)
}
