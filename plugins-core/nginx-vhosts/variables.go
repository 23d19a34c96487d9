package nginxvhosts

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// variables are what a template may name: ours, and the variables of the app.
type variables struct {
	own map[string]string
	env envfile.Vars
}

func (v variables) names() []string { return slices.Sorted(maps.Keys(v.own)) }

func (v variables) lookup(name string) (value string, ok bool) {
	if value, ok = v.own[name]; !ok {
		value, ok = v.env[name]
	}
	return value, ok
}

// check refuses a value of the app's that would end a statement of nginx': who may set variables may not write its
// configuration.
func (v variables) check(name string) error {
	if _, ours := v.own[name]; !ours && strings.ContainsAny(v.env[name], ";{}\r\n\x00") {
		return fmt.Errorf("the value of variable %s has a semicolon, a brace or a line end in it", name)
	}
	return nil
}

// get is lookup for templates of today, in which what is not set is empty.
func (v variables) get(name string) (string, error) {
	value, _ := v.lookup(name)
	return value, v.check(name)
}

// Listeners stand in a template's text as addresses of a net for documents; what is served is put in their place
// afterwards. Templates take them apart and give the host another port, that of the container.
func listener(i int, port string) string { return net.JoinHostPort("192.0.2."+strconv.Itoa(i+1), port) }

// variables returns those for a configuration with these names; cert is nil without TLS.
func (s *site) variables(names nameSet, cert *pair, at ports, inner string, count int) (variables, error) {
	env, err := s.app.MergedEnv()
	if err != nil {
		return variables{}, err
	}
	var mapped, web []string
	for _, port := range at.http {
		mapped = append(mapped, "http:"+port+":"+inner)
	}
	for _, port := range at.https {
		mapped = append(mapped, "https:"+port+":"+inner)
	}
	for i := range count {
		web = append(web, listener(i, inner))
	}
	served, secure := strings.Join(names.all, " "), strings.Join(names.secure, " ")
	own := map[string]string{
		"APP": s.app.Name, "DOKKU_ROOT": s.app.Root, "DOKKU_LIB_ROOT": s.s.LibRoot(), "NGINX_ROOT": "/etc/nginx",
		"NOSSL_SERVER_NAME": served, "NONSSL_VHOSTS": served, "SSL_SERVER_NAME": "", "SSL_VHOSTS": "", "SSL_INUSE": "",
		"SSL_DIRECTIVES": "", "APP_SSL_PATH": s.app.Path("tls"), "SCHEME": "http",
		"PROXY_PORT_MAP": strings.Join(mapped, " "), "PROXY_UPSTREAM_PORTS": inner,
		"PROXY_PORT": s.s.Get(settings.NginxPort, "80"), "PROXY_SSL_PORT": s.s.Get(settings.NginxTLSPort, "443"),
		"HTTP2_SUPPORTED": "true", "HTTP2_DIRECTIVE_SUPPORTED": "false", "HTTP2_PUSH_SUPPORTED": "false",
		"SPDY_SUPPORTED": "false", "GRPC_SUPPORTED": "true",
	}
	own["NGINX_PORT"], own["NGINX_SSL_PORT"] = own["PROXY_PORT"], own["PROXY_SSL_PORT"]
	if cert != nil {
		own["SSL_SERVER_NAME"], own["SSL_VHOSTS"], own["SSL_INUSE"], own["SCHEME"] = secure, secure, "true", "https"
		own["APP_SSL_PATH"] = filepath.Dir(cert.crt)
		own["SSL_DIRECTIVES"] = fmt.Sprintf("  ssl_certificate     %s;\n  ssl_certificate_key %s;", cert.crt, cert.key)
	}
	all := s.otherListeners()
	all["web"], all[""] = web, web // the second for templates that know one type only
	for kind, addresses := range all {
		own[listenersOf(kind)] = strings.Join(addresses, " ")
	}
	for _, p := range s.properties() {
		own[p.variable] = p.value
	}
	return variables{own: own, env: env}, nil
}

// containerPort is the port at which the web processes listen in their containers, as the scheduler tells them.
func (t *custom) containerPort(at ports) string {
	return strconv.Itoa(cmp.Or(at.container, t.port, app.Port))
}

// listenersOf is the name of the variable with the addresses of a process type.
func listenersOf(kind string) string {
	if kind != "" {
		kind = strings.ToUpper(strings.ReplaceAll(kind, "-", "_")) + "_"
	}
	return "DOKKU_APP_" + kind + "LISTENERS"
}

// otherListeners are the addresses of the containers of the other process types, by type. They change with each deploy.
func (s *site) otherListeners() map[string][]string {
	out := map[string][]string{}
	for _, file := range s.app.StateFiles("IP.*.*") {
		kind, _, _ := strings.Cut(strings.TrimPrefix(file, "IP."), ".")
		ip := s.app.State(file)
		if kind == "web" || net.ParseIP(ip) == nil || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			continue
		}
		out[kind] = append(out[kind], net.JoinHostPort(ip, strconv.Itoa(app.Port)))
	}
	return out
}

// nginxProperty is a setting of today's templates: the variable by which they name it, its key, and what it is unless
// somebody has set it.
type nginxProperty struct{ variable, key, value string }

func (s *site) properties() []nginxProperty {
	access, errors := "off", "/dev/null"
	if dir := s.logRoot(); dir != "" {
		logs := filepath.Join(dir, s.app.Name)
		access, errors = logs+"-access.log", logs+"-error.log"
	}
	ip6, ip4 := "::", s.s.Get(settings.NginxAddress, "")
	if ip4 != "" {
		ip6 = "::1"
	}
	list := []nginxProperty{
		{"NGINX_ACCESS_LOG_PATH", "access-log-path", access}, {"NGINX_ERROR_LOG_PATH", "error-log-path", errors},
		{"NGINX_ACCESS_LOG_FORMAT", "access-log-format", ""}, {"NGINX_UNDERSCORE_IN_HEADERS", "underscore-in-headers", "off"},
		{"NGINX_BIND_ADDRESS_IP4", "bind-address-ipv4", ip4}, {"NGINX_BIND_ADDRESS_IP6", "bind-address-ipv6", ip6},
		{"CLIENT_BODY_TIMEOUT", "client-body-timeout", "60s"}, {"CLIENT_HEADER_TIMEOUT", "client-header-timeout", "60s"},
		{"CLIENT_MAX_BODY_SIZE", "client-max-body-size", "1m"}, {"KEEPALIVE_TIMEOUT", "keepalive-timeout", "75s"},
		{"LINGERING_TIMEOUT", "lingering-timeout", "5s"}, {"SEND_TIMEOUT", "send-timeout", "60s"},
		{"PROXY_BUFFER_SIZE", "proxy-buffer-size", "8k"}, {"PROXY_BUFFERING", "proxy-buffering", "on"},
		{"PROXY_BUFFERS", "proxy-buffers", "8 8k"}, {"PROXY_BUSY_BUFFERS_SIZE", "proxy-busy-buffers-size", "16k"},
		{"PROXY_CONNECT_TIMEOUT", "proxy-connect-timeout", "60s"}, {"PROXY_KEEPALIVE", "proxy-keepalive", ""},
		{"PROXY_READ_TIMEOUT", "proxy-read-timeout", "60s"}, {"PROXY_SEND_TIMEOUT", "proxy-send-timeout", "60s"},
		{"PROXY_X_FORWARDED_FOR", "x-forwarded-for-value", "$remote_addr"},
		{"PROXY_X_FORWARDED_PORT", "x-forwarded-port-value", "$server_port"},
		{"PROXY_X_FORWARDED_PROTO", "x-forwarded-proto-value", "$scheme"}, {"PROXY_X_FORWARDED_SSL", "x-forwarded-ssl", ""},
	}
	for i, p := range list {
		if value := strings.TrimSpace(property.Get(s.s, pluginName, s.app.Name, p.key)); value != "" && !strings.ContainsAny(value, ";{}\r\n\x00") {
			list[i].value = value
		}
	}
	return list
}
