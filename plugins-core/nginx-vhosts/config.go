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
	logs, _ := s.logLines() // which are good: see prepare
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	b.WriteString(s.upstreams(sides))
	secure, plain := cert.split(names)
	if len(secure) > 0 && len(at.http) > 0 {
		p("server {")
		s.listen(p, at.http, "")
		p("  server_name %s;", strings.Join(secure, " "))
		p("  server_tokens off;")
		for _, line := range logs {
			p("  %s", line)
		}
		p("  return 301 https://$host%s$request_uri;", portSuffix(at.https[0], "443"))
		p("}")
		p("")
	}
	if len(secure) > 0 {
		s.server(&b, secure, cert, at.https)
	}
	if len(plain) > 0 && len(at.http) > 0 {
		if len(secure) > 0 {
			p("")
		}
		s.server(&b, plain, nil, at.http)
	}
	return b.String()
}

// server is the server of names at ports; cert is nil without TLS.
func (s *site) server(b *strings.Builder, names []string, cert *pair, ports []string) {
	p := func(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }
	p("server {")
	if cert == nil {
		s.listen(p, ports, "")
	} else {
		s.listen(p, ports, " ssl http2")
	}
	p("  server_name %s;", strings.Join(names, " "))
	logs, _ := s.logLines() // which are good: see prepare
	for _, line := range logs {
		p("  %s", line)
	}
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
	p("    server_tokens off;") // here, as an admin's file may say the same of the server
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
	p("    server_tokens off;")
	p("    default_type text/html;")
	p("    add_header Retry-After 5 always;")
	p("    add_header Cache-Control no-store always;")
	p("    alias %s;", s.downFile())
	p("  }")
	p("}")
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
