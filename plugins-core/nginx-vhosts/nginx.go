// Package nginxvhosts is the plugin nginx-vhosts: it gives apps host names and has nginx serve them (toolchain-2014,
// section 7).
//
// An app's nginx.conf has several upstreams, its sides, and files decide at each request which of them answers. A deploy
// uses one that is idle and then makes or removes a file: that is one moment for all of nginx' workers, so clients see
// the old version until then and the new one from then on. nginx has to reload only when the text of its configuration
// has changed; as the scheduler gives an app its ports in turn, most deploys need none, and no kept-alive connection
// is closed.
package nginxvhosts

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

const pluginName = "nginx-vhosts"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        pluginName,
		Description: "has nginx serve apps by host name",
		Hooks: map[string]plug.Hook{
			"core-post-deploy":      withSite((*site).build),
			"core-post-extract":     inspectSource,
			"post-delete":           forget,
			"proxy-build-config":    withSite((*site).adopt),
			"proxy-clear-config":    withSite((*site).clear),
			"domains-urls":          withSite((*site).printURLs),
			"domains-list":          withSite((*site).printNames),
			"domains-vhost-enabled": withSite((*site).printEnabled),
			"post-app-clone-setup":  plug.CloneProperties(pluginName),
			"post-app-rename-setup": renamed,
			"post-app-rename":       forgetOld,
			"proxy-type":            say("nginx"),
			"install":               install,
			"doctor-check":          plug.Diagnose([]string{"nginx", "sites", "answers", "certificates", "dns"}, diagnose),
		},
		Commands: []plug.Command{
			{Name: "nginx:build-config", Args: "APP", Help: "Write an application's nginx configuration anew", Run: buildVerb},
			{Name: "nginx:show-config", Args: "APP", Help: "Show an application's nginx configuration", Run: withSite((*site).show)},
			{Name: "nginx:validate-config", Args: "[APP] [--clean] [--format json]", Help: "Have nginx test the configuration, and set aside what it refuses", Run: validateVerb, Aliases: []string{"nginx:validate"}},
			{Name: "nginx:set", Args: "APP|--global PROPERTY [VALUE]", Help: "Say where an application's source has its template for nginx, and whether it counts", Run: setVerb},
			{Name: "nginx:report", Args: reporter().Args(), Help: "Show by which templates applications are served", Run: reporter().Run},
			{Name: "nginx:access-logs", Args: "[-t] APP", Help: "Show what nginx has answered for an application (-t follows)", Run: showLog(accessLog)},
			{Name: "nginx:error-logs", Args: "[-t] APP", Help: "Show what went wrong in nginx for an application (-t follows)", Run: showLog(errorLog)},
			{Name: "nginx:reload", Internal: true, Run: reloadVerb},
			{Name: "nginx:http-config", Run: func(_ context.Context, c *plug.C) error { fmt.Fprint(c.Stdout, httpConfig(c.Settings())); return nil }},
		},
	}
}

// buildVerb is the hook for a person, who may not be in the middle of a deploy.
func buildVerb(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	return c.Lock(ctx, a, func(c *plug.C) error {
		if err := withSite((*site).build)(ctx, c); err != nil || !deploy.Deployed(a) {
			return err
		}
		return deploy.RecordURLs(ctx, c, a) // a certificate that has come, or gone, is in them
	})
}

// site is what nginx serves for one app.
type site struct {
	c   *plug.C
	s   settings.Settings
	app app.App
}

func withSite(f func(s *site, ctx context.Context) error) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		return f(&site{c: c, s: c.Settings(), app: a}, ctx)
	}
}

func (s *site) conf() string { return s.app.Path("nginx.conf") }

// names returns the host names of the app; none when host names are off (section 7.1).
func (s *site) names(ctx context.Context) ([]string, error) { return hosts.Of(ctx, s.c, s.app) }

func (s *site) printURLs(ctx context.Context) error {
	urls, err := s.urls(ctx)
	for _, url := range urls {
		fmt.Fprintln(s.c.Stdout, url)
	}
	return err
}

// urls returns where the app answers: by host name through nginx, else at the host's name and the container's port.
func (s *site) urls(ctx context.Context) ([]string, error) {
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return s.portURL()
	}
	cert, err := s.certificate(names)
	if err != nil && cert == nil {
		return nil, err
	}
	at, err := s.ports(cert)
	if err != nil {
		return nil, err
	}
	return at.urls(names, cert), nil
}

func (s *site) portURL() ([]string, error) {
	port := s.app.State("PORT")
	if port == "" {
		return nil, nil
	}
	hostname, err := hosts.Global(s.app.Root, "HOSTNAME")
	if err != nil {
		return nil, err
	}
	host := ""
	if len(hostname) > 0 {
		host = hostname[0]
	} else {
		if host, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	return []string{"http://" + net.JoinHostPort(host, port)}, nil
}

func (s *site) printNames(ctx context.Context) error {
	names, err := s.names(ctx)
	for _, name := range names {
		fmt.Fprintln(s.c.Stdout, name)
	}
	return err
}

func (s *site) printEnabled(ctx context.Context) error {
	names, err := s.names(ctx)
	fmt.Fprintln(s.c.Stdout, len(names) > 0)
	return err
}

func (s *site) show(_ context.Context) error {
	text, err := os.ReadFile(s.conf())
	if q := s.quarantined(); errors.Is(err, os.ErrNotExist) && q != nil {
		s.c.Warn("%s is set aside since %s: %s", s.app.Name, q.Since.Format(time.RFC3339), q.Reason)
		text, err = os.ReadFile(s.conf() + quarantineSuffix)
	}
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot show the configuration of %q: nginx does not serve it", s.app.Name)
	}
	if err == nil {
		_, err = s.c.Stdout.Write(text)
	}
	return err
}

// claim makes the names the app's: two apps never serve one name. A claim of an app that is gone counts for nothing.
func (s *site) claim(ctx context.Context, names []string) error {
	dir := filepath.Join(s.s.Data(pluginName), "names")
	if err := record.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		file := filepath.Join(dir, claimFile(name))
		data, err := os.ReadFile(file)
		owner := strings.TrimSpace(string(data))
		switch {
		case err == nil && owner == s.app.Name:
			continue
		case err == nil && s.serves(ctx, owner, name):
			return fmt.Errorf("cannot serve %q as %s: app %q has that name", s.app.Name, name, owner)
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return err
		}
		if err := record.WriteLine(file, s.app.Name); err != nil {
			return err
		}
	}
	return nil
}

// claimFile is the name of the file that says who has the host name: that name, unless no file can be called so.
func claimFile(name string) string {
	if name = strings.ToLower(name); len(name) > 200 {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	}
	return name
}

func (s *site) serves(ctx context.Context, owner, name string) bool {
	other, err := app.Find(s.app.Root, owner)
	if err != nil {
		return false
	}
	names, err := (&site{c: s.c, s: s.s, app: other}).names(ctx)
	return err != nil || hosts.Has(names, name)
}

// say is a hook that answers for every app that exists.
func say(answer string) plug.Hook {
	return func(_ context.Context, c *plug.C) error {
		if _, err := c.App(0); err != nil {
			return err
		}
		fmt.Fprintln(c.Stdout, answer)
		return nil
	}
}
