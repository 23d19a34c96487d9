package nginxvhosts

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

const (
	testTimeout = 4 * time.Second         // how long nginx may take to test its configuration
	expirySoon  = 14 * 24 * time.Hour     // before its end a certificate is to be renewed
	nginxStart  = "systemctl start nginx" // where there is systemd
)

// diagnose looks whether nginx serves what the apps' state files say, under their names.
func diagnose(ctx context.Context, c *plug.C, d *plug.Diagnosis) {
	s := c.Settings()
	p := newProber(ctx, s)
	var wg sync.WaitGroup
	wg.Go(func() { testForDoctor(ctx, c, d) })
	up := true
	if !isNginx(masterPID(s)) {
		up = false
		d.Violation("nginx", "", nginxStart, "nginx does not run: its pid file %s names no process", s.Get(settings.NginxPIDFile, "/run/nginx.pid"))
	}
	d.EachApp(c, func(a app.App, d *plug.Diagnosis) {
		x := &siteCheck{site: &site{c: c, s: s, app: a}, d: d}
		names := x.run(ctx)
		if len(names) > 0 {
			p.resolve(names, a.Name, d)
		}
		if up && len(names) > 0 && x.serving && !release.Stopped(a) {
			p.probe(x, names)
		}
	})
	if c.Arg(0) == "" {
		goneSites(s, d)
		global := pair{crt: filepath.Join(s.Root(), "tls/server.crt"), key: filepath.Join(s.Root(), "tls/server.key")}
		checkPair(global, "", nil, d)
	}
	wg.Wait()
}

// isNginx tells whether the process of that number is nginx: a pid file may be an old one.
func isNginx(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.HasPrefix(string(name), "nginx")
}

// testForDoctor has nginx test its configuration, and gives it less time than a deploy does.
func testForDoctor(ctx context.Context, c *plug.C, d *plug.Diagnosis) {
	def := testCommand
	if os.Geteuid() != 0 {
		def = "sudo -n " + def
	}
	args, err := c.Settings().Command(settings.NginxTest, def)
	if err != nil {
		d.Violation("nginx", "", "correct the setting", "%v", err)
		return
	}
	var out bytes.Buffer
	if err := proc.Run(ctx, proc.Cmd{Args: args, Env: withSbin(c.Env), Stdout: &out, Stderr: &out, Timeout: testTimeout}); err != nil {
		d.Violation("nginx", "", "correct the file that it names, or write an app's anew: dokku nginx:build-config APP",
			"nginx refuses its configuration, and would not start again: %s (%v)", strings.TrimSpace(out.String()), err)
	}
}

// siteCheck is a look at what nginx serves for one app.
type siteCheck struct {
	*site
	d       *plug.Diagnosis
	serving bool  // requests lead to the app's processes
	cert    *pair // nil: it is served without
}

// run compares files, and returns the names under which the app answers.
func (x *siteCheck) run(ctx context.Context) []string {
	do := "dokku nginx:build-config " + x.app.Name
	names, err := x.names(ctx)
	if err != nil {
		x.d.Violation("sites", x.app.Name, "correct the file that it names", "%v", err)
		return nil
	}
	addresses := x.addresses()
	text, err := os.ReadFile(x.conf())
	if err == nil && x.isGone() {
		err = os.ErrNotExist
	}
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		x.d.Violation("sites", x.app.Name, "see that this user may read it", "its nginx.conf cannot be read: %v", err)
		return names
	case err != nil && x.quarantined() != nil:
		x.d.Violation("sites", x.app.Name, "correct what it says, then: "+do, "it is set aside, since nginx refuses its configuration: %s", x.quarantined().Reason)
		return names
	case err != nil && len(names) > 0 && len(addresses) > 0:
		x.d.Violation("sites", x.app.Name, do, "it has web processes and names, and no nginx.conf: nobody reaches it")
		return names
	case err == nil && (len(names) == 0 || len(addresses) == 0):
		x.d.Violation("sites", x.app.Name, do, "it has an nginx.conf, and no web process or no name to be served under")
		return names
	case err != nil:
		return nil // nothing to serve
	}
	x.serving = x.upstreams(string(text), addresses, do)
	x.cert, _ = x.certificate(names) // what is wrong with one of its own is told next
	checkPair(pair{crt: x.app.Path("tls/server.crt"), key: x.app.Path("tls/server.key")}, x.app.Name, names, x.d)
	return names
}

// upstreams tells whether the group that answers is where the app's processes are, in the record and in the file.
func (x *siteCheck) upstreams(text string, addresses []string, do string) bool {
	sides, now, _, err := x.readSides()
	if err != nil {
		x.d.Violation("sites", x.app.Name, do, "%v", err)
		return false
	}
	var serving []string
	if now < len(sides) {
		serving = sides[now]
	}
	name := x.upstream(now, len(switches()))
	if !slices.Equal(serving, addresses) {
		x.d.Violation("sites", x.app.Name, do, "requests go to %s, and its web processes are at %s", orNothing(serving), strings.Join(addresses, " "))
		return false
	}
	if listed, ok := serversOf(text, name); ok && !slices.Equal(listed, serving) {
		x.d.Violation("sites", x.app.Name, do, "upstream %s in its nginx.conf leads to %s, and its web processes are at %s", name, orNothing(listed), strings.Join(addresses, " "))
		return false
	}
	return true
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, " ")
}

// serversOf reads the addresses of an upstream off an nginx.conf; ok is false when it has no such upstream, as one that
// a plugin has written.
func serversOf(text, upstream string) (servers []string, ok bool) {
	for line := range strings.Lines(text) {
		words := strings.Fields(strings.TrimRight(strings.TrimSpace(line), ";"))
		switch {
		case len(words) == 3 && words[0] == "upstream" && words[1] == upstream && words[2] == "{":
			ok = true
		case ok && len(words) > 0 && words[0] == "}":
			slices.Sort(servers)
			return servers, true
		case ok && len(words) > 1 && words[0] == "server":
			servers = append(servers, words[1])
		}
	}
	return servers, ok
}

// goneSites finds what is kept for apps that are not there. Claims of names are left alone: one of an app that is gone
// counts for nothing.
func goneSites(s settings.Settings, d *plug.Diagnosis) {
	for _, kind := range append(switches(), "groups", "loaded", "quarantined", "images") {
		dir := filepath.Join(s.Data(pluginName), kind)
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // nothing was served yet
		}
		for _, e := range entries {
			file := filepath.Join(dir, e.Name())
			name, _, _ := strings.Cut(e.Name(), "_") // switch files have the name of an upstream
			if exists(file) && !strings.HasPrefix(name, ".") && !(app.App{Name: name, Root: s.Root()}).Exists() {
				d.Violation("sites", name, "rm "+file, "%s is for an app that is not there", file)
			}
		}
	}
}

// checkPair looks at a certificate and its key; names are those that it is to be good for.
func checkPair(p pair, name string, names []string, d *plug.Diagnosis) {
	crt, err1 := os.ReadFile(p.crt)
	key, err2 := os.ReadFile(p.key)
	renew := "put a new certificate in " + p.crt + " and its key in " + p.key
	switch {
	case errors.Is(err1, os.ErrNotExist) && errors.Is(err2, os.ErrNotExist):
		return
	case errors.Is(err1, os.ErrNotExist) || errors.Is(err2, os.ErrNotExist):
		d.Warning("certificates", name, renew, "there is only one of certificate and key, so neither is used")
		return
	case err1 != nil || err2 != nil:
		d.Violation("certificates", name, "see that dokku's user may read them", "certificate or key cannot be read: %v", errors.Join(err1, err2))
		return
	}
	if st, err := os.Stat(p.key); err == nil && st.Mode().Perm()&0o007 != 0 {
		d.Violation("certificates", name, "chmod o= "+p.key, "%s has mode %04o: everybody may use the key", p.key, st.Mode().Perm())
	}
	both, err := tls.X509KeyPair(crt, key)
	if err != nil {
		d.Violation("certificates", name, renew, "certificate and key are no pair: %v", err)
		return
	}
	cert, err := x509.ParseCertificate(both.Certificate[0])
	if err != nil {
		d.Violation("certificates", name, renew, "the certificate cannot be read: %v", err)
		return
	}
	switch left := time.Until(cert.NotAfter); {
	case left < 0:
		d.Violation("certificates", name, renew, "the certificate has expired on %s", cert.NotAfter.Format(time.DateOnly))
	case left < expirySoon:
		d.Warning("certificates", name, renew, "the certificate expires on %s", cert.NotAfter.Format(time.DateOnly))
	case time.Until(cert.NotBefore) > 0:
		d.Violation("certificates", name, "set the clock, or "+renew, "the certificate is good from %s on only", cert.NotBefore.Format(time.DateOnly))
	}
	for _, n := range names {
		if !hosts.Covers(cert, n) {
			d.Warning("certificates", name, renew, "the certificate is not for %s", n)
		}
	}
}

// isLocal tells whether a name is of this host whatever DNS says, or an address.
func isLocal(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || net.ParseIP(name) != nil
}
