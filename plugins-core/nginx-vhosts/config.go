package nginxvhosts

import (
	"fmt"
	"os"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// text is the app's nginx.conf. Plugins edit it line by line: `upstream NAME {`, `server_name ...;`, `proxy_pass ...;`
// and the X-Forwarded lines stand on lines of their own (plugin-contract, section 5).
func (s *site) text(sides [][]string, names []string, cert *pair, at ports) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	b.WriteString(s.upstreams(sides))
	if cert != nil && len(at.http) > 0 {
		p("server {")
		s.listen(p, at.http, "")
		p("  server_name %s;", strings.Join(names, " "))
		p("  return 301 https://$host%s$request_uri;", portSuffix(at.https[0], "443"))
		p("}")
		p("")
	}
	p("server {")
	if cert == nil {
		s.listen(p, at.http, "")
	} else {
		s.listen(p, at.https, " ssl http2")
	}
	p("  server_name %s;", strings.Join(names, " "))
	if cert != nil {
		p("")
		p("  ssl_certificate %s;", cert.crt)
		p("  ssl_certificate_key %s;", cert.key)
		p("  ssl_protocols TLSv1.2 TLSv1.3;")
		p("  keepalive_timeout 70;")
	}
	p("")
	b.WriteString(s.chooser())
	p("")
	p("  location / {")
	p("    proxy_pass http://$dokku_upstream;")
	p("    proxy_http_version 1.1;")
	p("    proxy_set_header Upgrade $http_upgrade;")
	p("    proxy_set_header Connection $dokku_connection;")
	p("    proxy_set_header Host $http_host;")
	p("    proxy_set_header X-Forwarded-Proto $scheme;")
	p("    proxy_set_header X-Forwarded-For $remote_addr;")
	p("    proxy_set_header X-Forwarded-Port $server_port;")
	p("    proxy_set_header X-Request-Start $msec;")
	p("  }")
	p("  include %s/*.conf;", s.app.Path("nginx.conf.d"))
	p("")
	p("  # What nginx says itself while the app does not answer; answers of the app are passed on as they are.")
	p("  error_page 502 503 504 /.dokku-down;")
	p("  location = /.dokku-down {")
	p("    internal;")
	p("    default_type text/html;")
	p("    add_header Retry-After 5 always;")
	p("    add_header Cache-Control no-store always;")
	p("    alias %s;", s.downFile())
	p("  }")
	p("}")
	return b.String()
}

func (s *site) listen(p func(string, ...any), ports []string, options string) {
	for _, port := range ports {
		listen(s.s, p, port, options)
	}
}

func listen(s settings.Settings, p func(string, ...any), port, options string) {
	if address := s.Get(settings.NginxAddress, ""); address != "" {
		p("  listen %s:%s%s;", address, port, options)
		return
	}
	if hasIPv6() {
		p("  listen [::]:%s%s;", port, options)
	}
	p("  listen %s%s;", port, options)
}

// hasIPv6 tells whether the kernel has addresses of that family: nginx does not start with one it cannot listen on.
func hasIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return err == nil
}

func portSuffix(port, usual string) string {
	if port == usual {
		return ""
	}
	return ":" + port
}
