package nginxvhosts

import (
	"fmt"
	"strconv"

	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// ports are those at which nginx serves an app; where there are any of https, those of http lead there.
type ports struct {
	http, https []string
	container   int // the port in the containers that mappings lead to; 0 without any
}

// ports returns the app's: the usual ones, unless it has mappings. Ports of https take a certificate.
func (s *site) ports(cert *pair) (ports, error) {
	usual := s.usualPorts(cert)
	vars, err := s.app.MergedEnv()
	if err != nil {
		return usual, err
	}
	mapped, err := hosts.Mappings(vars)
	if err != nil || len(mapped) == 0 {
		return usual, err
	}
	at := ports{container: mapped[0].Container}
	for _, m := range mapped {
		switch {
		case m.Scheme == "http":
			at.http = append(at.http, strconv.Itoa(m.Host))
		case cert != nil:
			at.https = append(at.https, strconv.Itoa(m.Host))
		}
	}
	if len(at.http)+len(at.https) == 0 {
		return at, fmt.Errorf("cannot serve %q: its port mappings are all of https, and it has no certificate", s.app.Name)
	}
	return at, nil
}

// usualPorts are those of the proxy.
func (s *site) usualPorts(cert *pair) ports {
	usual := ports{http: []string{s.s.Get(settings.NginxPort, "80")}}
	if cert != nil {
		usual.https = []string{s.s.Get(settings.NginxTLSPort, "443")}
	}
	return usual
}

// urls are the names, each at the port that is meant for people.
func (at ports) urls(names []string, cert *pair) (urls []string) {
	for _, name := range names {
		if url := at.of(name, cert).url(name); url != "" {
			urls = append(urls, url)
		}
	}
	return urls
}

// url is the name at the port that is meant for people; "" when there is none.
func (at ports) url(name string) string {
	switch {
	case len(at.https) > 0:
		return "https://" + name + portSuffix(at.https[0], "443")
	case len(at.http) > 0:
		return "http://" + name + portSuffix(at.http[0], "80")
	}
	return ""
}

// of are the ports at which a name is served.
func (at ports) of(name string, cert *pair) ports {
	if cert == nil || !hosts.Has(cert.names, name) {
		at.https = nil
	}
	return at
}
