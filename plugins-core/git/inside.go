package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/proxy"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// Some addresses reach what a host offers to itself alone: databases, the services of a cloud that give out passwords. To
// ask there in the name of the host takes an admin.

// refuseInside refuses to connect to such addresses; it sees them as they are, whatever name they had.
func refuseInside(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	return checkIP(host, net.ParseIP(host))
}

func checkIP(host string, ip net.IP) error {
	if ip == nil || ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return fmt.Errorf("%s is an address of this host itself: only an admin may ask there", host)
	}
	return nil
}

// lookup is how the addresses of a name are found, as net.Resolver has it.
type lookup func(ctx context.Context, host string) ([]net.IPAddr, error)

// errUnknown is for names of which this host knows no address; a proxy may.
var errUnknown = errors.New("this host finds no address of that name")

// checkHost refuses a host that is at such an address, and returns its addresses; none when it is one itself.
func checkHost(ctx context.Context, find lookup, host string) ([]net.IPAddr, error) {
	if ip := net.ParseIP(host); ip != nil || strings.Contains(host, ":") {
		return nil, checkIP(host, ip)
	}
	plain := strings.ToLower(strings.TrimRight(host, "."))
	last := plain[strings.LastIndexByte(plain, '.')+1:]
	// 127.1, 0x7f000001 and 2130706433 are addresses to some programs, and no name ends like that.
	if last == "" || last == "localhost" || last[0] >= '0' && last[0] <= '9' {
		return nil, checkIP(host, nil)
	}
	found, err := find(ctx, host)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil || len(found) == 0 {
		return nil, errUnknown
	}
	for _, a := range found {
		if err := checkIP(host, a.IP); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// transport asks servers, directly or by a proxy.
func transport(dialer *net.Dialer, proxy func(*url.URL) (*url.URL, error)) *http.Transport {
	return &http.Transport{
		Proxy:       func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
		DialContext: dialer.DialContext, TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: 2 * time.Minute,
		DisableCompression: true, DisableKeepAlives: true, ForceAttemptHTTP2: true,
	}
}

// outside asks only servers that are not inside. Of a server that is asked directly the address is looked at that is
// connected to; a proxy is this host's choice, and whom it asks is told by the name.
type outside struct {
	proxy       func(*url.URL) (*url.URL, error)
	direct, via *http.Transport
}

func newOutside(c *plug.C) *outside {
	by := proxy.Func(c.Settings())
	none := func(*url.URL) (*url.URL, error) { return nil, nil }
	return &outside{proxy: by, via: transport(&net.Dialer{Timeout: 30 * time.Second}, by),
		direct: transport(&net.Dialer{Timeout: 30 * time.Second, Control: refuseInside}, none)}
}

// RoundTrip is that of http.RoundTripper; each redirect comes here, too.
func (o *outside) RoundTrip(r *http.Request) (*http.Response, error) {
	proxy, err := o.proxy(r.URL)
	if err != nil {
		return nil, err
	}
	if proxy == nil {
		return o.direct.RoundTrip(r)
	}
	if _, err := checkHost(r.Context(), net.DefaultResolver.LookupIPAddr, r.URL.Hostname()); err != nil && !errors.Is(err, errUnknown) {
		return nil, err
	}
	return o.via.RoundTrip(r)
}

// permit refuses what takes an admin, and returns the settings of git that keep it to that: git looks up names itself.
func (call *syncCall) permit(ctx context.Context, c *plug.C) (env []string, err error) {
	if c.WithOutput(io.Discard, io.Discard).Admin(ctx) == nil {
		return nil, nil
	}
	u, err := url.Parse(call.from.address)
	if err != nil || call.from.local || u.Scheme != "http" && u.Scheme != "https" {
		// A directory is read, and keys are used, as the system user may; git:// cannot be kept to an address.
		return nil, c.Admin(ctx)
	}
	options, err := outsideOptions(ctx, net.DefaultResolver.LookupIPAddr, proxy.Func(c.Settings()), u)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch %q from %s: %w", call.app.Name, call.from.shown, err)
	}
	env = append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(options)))
	for i, option := range options {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, option[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, option[1]))
	}
	return env, nil
}

// outsideOptions checks where the repository is, and has git ask at the addresses that were checked, and nowhere else.
func outsideOptions(ctx context.Context, find lookup, proxy func(*url.URL) (*url.URL, error), u *url.URL) ([][2]string, error) {
	options := [][2]string{{"http.followRedirects", "false"}}
	found, err := checkHost(ctx, find, u.Hostname())
	if errors.Is(err, errUnknown) {
		by, proxyErr := proxy(u)
		if proxyErr != nil || by == nil {
			return nil, errors.Join(err, proxyErr)
		}
		return append(options, [2]string{"http.proxy", by.String()}), nil // nobody else may look for it
	}
	if err != nil || len(found) == 0 {
		return options, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	var addresses []string
	for _, a := range found {
		address := a.IP.String()
		if strings.Contains(address, ":") {
			address = "[" + address + "]"
		}
		addresses = append(addresses, address)
	}
	return append(options, [2]string{"http.curloptResolve", u.Hostname() + ":" + port + ":" + strings.Join(addresses, ",")}), nil
}
