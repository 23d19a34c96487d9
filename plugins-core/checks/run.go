package checks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// runDefault is the check of an app that has none of its own: a process with a port must accept connections on it, one
// without must stay up for a while.
func (p *probe) runDefault(ctx context.Context) error {
	timeout, err := p.values.Int(settings.ChecksTimeout, 30)
	if err != nil {
		return err
	}
	stays, err := p.values.Int(settings.DefaultCheckWait, 10)
	if err != nil {
		return err
	}
	// An image that says nothing of a port may be of a program that has none, unless the app's settings name one.
	mayBeSilent := p.port == 0 || p.image.Builder == "dockerfile" && len(p.image.Ports) == 0 && p.port == app.Port
	limit := timeout
	if mayBeSilent {
		limit = stays
	}
	switch {
	case p.port == 0:
		p.c.Info1("Waiting for %d seconds, for which it has to stay up ...", limit)
	case mayBeSilent:
		p.c.Info1("Waiting for at most %d seconds, until it listens on port %d or has stayed up ...", limit, p.port)
	default:
		p.c.Info1("Waiting for at most %d seconds, until it listens on port %d ...", limit, p.port)
	}
	if err := p.pause(ctx, seconds(limit)); err != nil {
		return err
	}
	if !p.open && !mayBeSilent {
		return fmt.Errorf("cannot deploy: %s process did not accept connections on port %d within %d s; it has to listen on $PORT, on all interfaces",
			p.name(), p.port, limit)
	}
	p.c.Info1("Default container check successful!")
	return nil
}

// runList runs the checks of a CHECKS file: all of them, again and again until all pass.
func (p *probe) runList(ctx context.Context, l *list) error {
	if p.ip == "" || p.port == 0 {
		return fmt.Errorf("cannot run the CHECKS of %q: its container has no address and port of its own", p.app.Name)
	}
	limits, err := p.values.limits(l)
	if err != nil {
		return err
	}
	address := net.JoinHostPort(p.ip, strconv.Itoa(p.port))
	secure := p.hasTLS()
	var failed []string
	for i := 1; i <= limits.attempts; i++ {
		p.c.Info1("Attempt %d/%d Waiting for %d seconds ...", i, limits.attempts, int(limits.wait.Seconds()))
		if err := p.pause(ctx, limits.wait); err != nil {
			return err
		}
		p.c.Verbose("CHECKS expected result:")
		failed = nil
		for _, k := range l.checks {
			host := k.host
			if host == "" {
				host = address
			}
			url := "http://" + host + k.path
			p.c.Verbose("%s => \"%s\"", url, printable(k.expected))
			r := request{address: address, scheme: "http", host: k.host, path: k.path, timeout: limits.timeout}
			if k.tls || secure {
				r.headers = []header{{"X-Forwarded-Proto", "https"}}
			}
			if err := r.expect(ctx, func(body string) bool { return contains(body, k.expected) }, k.expected); err != nil {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				failed = append(failed, fmt.Sprintf("%s: %v", url, err))
				p.c.Warn("%s", failed[len(failed)-1])
			}
		}
		if len(failed) == 0 {
			p.c.Info1("All checks successful!")
			p.showOutput(ctx)
			return nil
		}
		p.c.Warn("Check attempt %d/%d failed.", i, limits.attempts)
	}
	p.c.Warn("Could not start due to %d failed checks.", len(failed))
	return fmt.Errorf("cannot deploy: a check of %s failed: %s", p.name(), strings.Join(failed, "; "))
}

// hasTLS tells whether the app is served by https: with a certificate of its own, or the one of all apps.
func (p *probe) hasTLS() bool {
	for _, dir := range []string{p.app.Path("tls"), filepath.Join(p.app.Root, "tls")} {
		_, err := os.Stat(filepath.Join(dir, "server.crt"))
		_, err2 := os.Stat(filepath.Join(dir, "server.key"))
		if err == nil && err2 == nil {
			return true
		}
	}
	return false
}

// runHealth runs the healthchecks of app.json one after another.
func (p *probe) runHealth(ctx context.Context, list []health) error {
	for _, h := range list {
		if err := p.sleep(ctx, seconds(h.initialDelay)); err != nil {
			return err
		}
		var err error
		if h.path != "" || h.listening { // a process that is about to listen is not to lose an attempt
			if _, err = p.await(ctx, h.portOf(p.port), seconds(max(h.wait, h.timeout))); err != nil {
				return err
			}
		}
		for i := 1; i <= h.attempts; i++ {
			p.c.Info1("Attempt %d/%d of %s of %s: %s", i, h.attempts, printable(h.name), p.kind, printable(h.what()))
			if err = p.one(ctx, h); err == nil {
				break
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			p.c.Warn("%s: %v", printable(h.name), err)
			if i == h.attempts {
				p.c.Warn("Could not start due to 1 failed checks.")
				return fmt.Errorf("cannot deploy: %s of %s failed: %w", printable(h.name), p.name(), err)
			}
			if err := p.sleep(ctx, seconds(h.wait)); err != nil {
				return err
			}
		}
	}
	p.c.Info1("All checks successful!")
	p.showOutput(ctx)
	return nil
}

// one makes one attempt of a healthcheck.
func (p *probe) one(ctx context.Context, h health) error {
	port := h.portOf(p.port)
	if (h.path != "" || h.listening) && p.ip == "" {
		return errors.New("the container has no address of its own")
	}
	switch {
	case len(h.command) > 0:
		return p.command(ctx, h)
	case h.path != "":
		address := net.JoinHostPort(p.ip, strconv.Itoa(port))
		r := request{address: address, scheme: h.scheme, path: h.path, timeout: seconds(h.timeout), headers: h.headers}
		if p.hasTLS() && !slices.ContainsFunc(h.headers, func(f header) bool { return strings.EqualFold(f.Name, "X-Forwarded-Proto") }) {
			r.headers = append(slices.Clone(h.headers), header{"X-Forwarded-Proto", "https"})
		}
		return r.expect(ctx, func(body string) bool { return strings.Contains(body, h.content) }, h.content)
	case h.listening:
		if err := p.accepts(ctx, port, seconds(h.timeout)); err != nil {
			return fmt.Errorf("nothing accepts connections on port %d", port)
		}
		return nil
	}
	got, err := p.engine.Inspect(ctx, p.id)
	if err != nil {
		return err
	}
	return p.sleep(ctx, seconds(h.uptime)-got.Up())
}

// command runs a healthcheck's command in the container.
func (p *probe) command(ctx context.Context, h health) error {
	words := p.image.Inside(h.command)
	limited, cancel := context.WithTimeoutCause(ctx, seconds(h.timeout), fmt.Errorf("it did not end within %d s", h.timeout))
	defer cancel()
	status, output, err := p.engine.Exec(limited, p.id, words, 4<<10)
	if err == nil && status != 0 {
		err = fmt.Errorf("it ended with status %d", status)
	}
	if output = strings.TrimSpace(output); err != nil && output != "" {
		p.c.Verbose("%s", strings.ReplaceAll(printable(output), "\n", "\n       "))
	}
	return err
}

func (p *probe) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// request is a request to a container.
type request struct {
	address      string // where it goes, whatever the host
	scheme, host string // host "": the address
	path         string
	timeout      time.Duration
	headers      []header
}

// maxBody is how much of an answer is looked at.
const maxBody = 4 << 20

// expect makes the request; the answer has to be no failure and its body good.
func (r *request) expect(ctx context.Context, good func(body string) bool, expected string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("no answer within %s", r.timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.scheme+"://"+r.address+r.path, nil)
	if err != nil {
		return err
	}
	if r.host != "" {
		req.Host = r.host
	}
	req.Header.Set("User-Agent", "dokku-checks")
	for _, h := range r.headers {
		if strings.EqualFold(h.Name, "Host") {
			req.Host = h.Value
		} else {
			req.Header.Add(h.Name, h.Value)
		}
	}
	resp, err := r.client().Do(req)
	if err != nil {
		return r.explain(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return r.explain(ctx, err)
	}
	switch {
	case resp.StatusCode >= 400:
		return fmt.Errorf("status %d", resp.StatusCode)
	case good(string(body)):
		return nil
	}
	where := ""
	if asked := resp.Request.URL.RequestURI(); asked != req.URL.RequestURI() || resp.Request.Host != req.Host {
		where = fmt.Sprintf(" (after a redirect to %s)", printable(resp.Request.Host+asked))
	}
	return fmt.Errorf("expected to but did not find: \"%s\"%s", printable(expected), where)
}

// client goes to the address only, through no proxy. Where it is redirected to another host, it asks the same address
// for that host: whatever the app is called elsewhere, it is the new container that is checked.
func (r *request) client() *http.Client {
	dialer, secure := &net.Dialer{}, false
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp", r.address)
			},
			// A container is asked by its address, for which it can have no certificate.
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 10 {
				return fmt.Errorf("more than 10 redirects, the last to %s", printable(req.URL.String()))
			}
			if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
				return http.ErrUseLastResponse
			}
			for key, values := range via[0].Header { // some would not be sent to what seems to be another host
				req.Header[key] = values
			}
			secure = secure || req.URL.Scheme == "https" && r.scheme == "http"
			if secure { // as a proxy in front of the app would say
				req.Header.Set("X-Forwarded-Proto", "https")
			}
			if req.URL.Host != r.address {
				req.Host = req.URL.Host
			}
			req.URL.Scheme, req.URL.Host = r.scheme, r.address
			return nil
		},
	}
}

// explain shortens an error: the address stands before it.
func (r *request) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for wrapped := errors.Unwrap(err); wrapped != nil; wrapped = errors.Unwrap(wrapped) {
		err = wrapped
	}
	return err
}

// printable keeps text from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
