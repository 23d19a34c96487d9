package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/proxy"
	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// archiveURL reads the address of an archive.
func archiveURL(text string) (*url.URL, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return nil, errors.New("it has blanks or control characters in it")
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("give an address that begins with http:// or https://, or -- and the archive on standard input")
	}
	return u, nil
}

// shown is an address without what is secret in it.
func shown(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return bare.String()
}

// download opens what is at a URL; what is how it is called.
func download(ctx context.Context, c *plug.C, a app.App, source string) (body io.ReadCloser, what string, err error) {
	u, err := archiveURL(source)
	if err != nil {
		return nil, "", fmt.Errorf("cannot get an archive from %q: %w", source, err)
	}
	what = shown(u)
	fail := func(err error) (io.ReadCloser, string, error) {
		var inside *url.Error
		if errors.As(err, &inside) {
			err = inside.Err // without the address, which may have a password in it
		}
		return nil, "", fmt.Errorf("cannot get the archive of %q from %s: %w", a.Name, what, err)
	}
	limit, err := unpack.LimitsOf(c.Settings())
	if err != nil {
		return nil, "", err
	}
	timeout, err := fetchTimeout(c)
	if err != nil {
		return nil, "", err
	}
	inside := c.WithOutput(io.Discard, io.Discard).Admin(ctx) == nil
	c.Info1("Downloading %s", what)
	late := fmt.Errorf("it took more than %s; the limit is %s", timeout, settings.FetchTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, late)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel()
		return fail(err)
	}
	req.Header.Set("User-Agent", "dokku")
	resp, err := httpClient(c, inside).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		cancel()
		return fail(err)
	}
	b := &boundedBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, left: limit.Bytes,
		large: fmt.Errorf("it has more than %d MB; the limit is %s", limit.Bytes>>20, settings.ArchiveMB)}
	if resp.StatusCode != http.StatusOK {
		b.Close()
		return fail(fmt.Errorf("the server answers %s", resp.Status))
	}
	if resp.ContentLength > limit.Bytes {
		b.Close()
		return fail(b.large)
	}
	return b, what, nil
}

// httpClient is one that goes by the settings of proxies. inside is whether it may ask what this host offers to itself
// alone: for whoever is no admin that would be a way to it.
func httpClient(c *plug.C, inside bool) *http.Client {
	var by http.RoundTripper = newOutside(c)
	if inside {
		by = transport(&net.Dialer{Timeout: 30 * time.Second}, proxy.Func(c.Settings()))
	}
	return &http.Client{
		Transport: by,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case len(via) >= 10:
				return errors.New("it leads from one address to the next, ten times")
			case via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https":
				return fmt.Errorf("it leads from https to %s", shown(r.URL))
			}
			return nil
		},
	}
}

// boundedBody is an answer that ends at a limit of bytes and of time.
type boundedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelFunc
	left   int64
	large  error
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.large
	}
	if err != nil && !errors.Is(err, io.EOF) && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	return n, err
}

func (b *boundedBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}
