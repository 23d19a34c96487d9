package nginxvhosts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Deadlines of all questions of one kind together.
const (
	probeTimeout   = 3 * time.Second
	resolveTimeout = time.Second
)

// prober asks nginx, and DNS, as a visitor does.
type prober struct {
	s       settings.Settings
	client  *http.Client
	ctx     context.Context // of the requests
	lookups context.Context // of the questions to DNS
	unknown func() (answer, error)
}

// answer is what nginx says to a HEAD request.
type answer struct {
	status int
	length int64
	server string
}

// newProber prepares one whose deadlines begin now.
func newProber(ctx context.Context, s settings.Settings) *prober {
	transport := &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // certificates are looked at as files
	}
	p := &prober{s: s, client: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	p.ctx, p.lookups = deadline(ctx, probeTimeout), deadline(ctx, resolveTimeout)
	transport.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		host := s.Get(settings.NginxAddress, "")
		if host == "" || host == "0.0.0.0" || host == "*" {
			host = "127.0.0.1"
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(strings.Trim(host, "[]"), port))
	}
	p.unknown = sync.OnceValues(func() (answer, error) {
		return p.ask("doctor-asks-for-nobody.invalid", ports{http: []string{s.Get(settings.NginxPort, "80")}})
	})
	return p
}

// deadline is ctx with an end; what is left of it then is only a timer.
func deadline(ctx context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// ask requests the head of / from nginx on this host, under a name.
func (p *prober) ask(name string, at ports) (answer, error) {
	req, err := http.NewRequestWithContext(p.ctx, http.MethodHead, at.url(name)+"/", nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("User-Agent", "dokku-doctor")
	res, err := p.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	_ = res.Body.Close() // there is none
	return answer{status: res.StatusCode, length: res.ContentLength, server: res.Header.Get("Server")}, nil
}

// each does f for all names, some at a time.
func each(names []string, f func(name string)) {
	var group errgroup.Group
	group.SetLimit(16)
	for _, name := range names {
		group.Go(func() error { f(name); return nil })
	}
	_ = group.Wait() // nothing in there fails
}

// probe asks for an app under its names.
func (p *prober) probe(x *siteCheck, names []string) {
	app, d := x.app.Name, x.d
	at, err := x.ports(x.cert)
	if err != nil {
		return // it is not served, which has been told
	}
	if len(at.https) == 0 {
		x.cert = nil
	}
	each(names, func(name string) {
		asked := strings.Replace(name, "*.", "doctor.", 1)
		own := at.of(name, x.cert)
		if own.url(name) == "" {
			return // its mappings are of https, and the certificate is not for this name
		}
		secure := len(own.https) > 0
		got, err := p.ask(asked, own)
		logs := "see dokku logs " + app + " and nginx' error log"
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			d.Violation("answers", app, nginxStart, "nobody listens on the port for %s: %v", asked, reasonOf(err))
		case errors.Is(err, context.DeadlineExceeded):
			d.Warning("answers", app, logs, "%s gives no answer within %s", asked, probeTimeout)
		case err != nil:
			d.Violation("answers", app, logs, "%s gives no answer: %v", asked, reasonOf(err))
		case got.status == http.StatusBadGateway || got.status == http.StatusServiceUnavailable:
			d.Violation("answers", app, "dokku recover "+app+"; "+logs, "%s answers with %d: nginx does not reach its web process, or that is not ready", asked, got.status)
		case got.status == http.StatusGatewayTimeout:
			d.Warning("answers", app, logs, "%s answers with %d: its web process takes too long", asked, got.status)
		case !strings.HasPrefix(strings.ToLower(got.server), "nginx"):
			d.Warning("answers", app, "see who listens on that port: ss -ltnp", "%s is answered by %q, not by nginx", asked, got.server)
		case got.status == http.StatusNotFound && !secure && x.fingerprint(x.cert) != x.loaded():
			// An app may say the same as nginx does for nobody's name, so this counts when the file is not loaded.
			if none, err := p.unknown(); err == nil && none == got {
				d.Violation("answers", app, "dokku nginx:build-config "+app, "nginx does not know %s: it answers as to any unknown name", asked)
			}
		}
	})
}

func reasonOf(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op
	}
	return fmt.Errorf("%s", strings.TrimSpace(err.Error()))
}

// resolve looks whether the world finds the host by these names.
func (p *prober) resolve(names []string, app string, d *plug.Diagnosis) {
	each(names, func(name string) {
		if isLocal(name) || strings.HasPrefix(name, "*.") {
			return
		}
		if _, err := net.DefaultResolver.LookupHost(p.lookups, name); err != nil {
			d.Warning("dns", app, "have a record in DNS lead to this host", "%s cannot be resolved: %v", name, err)
		}
	})
}
