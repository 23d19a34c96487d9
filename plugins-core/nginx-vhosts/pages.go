package nginxvhosts

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// tlsDefaultFile is in the plugin's data; nginx includes it if it is there. It comes with the first certificate: before,
// nginx does not have to have the port of https.
const tlsDefaultFile = "default-tls.conf"

// httpConfig is the part that all apps share, inside nginx' http block. The servers of unknown hosts come before those
// of the apps, so that they are nginx' first choice. They do not say default_server: Debian's default site does, and
// where there is one that answers.
func httpConfig(s settings.Settings) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# Whatever host no app has: never an app answers.")
	p("server {")
	listen(s, p, s.Get(settings.NginxPort, "80"), "")
	p("  server_name _dokku;") // no host is called so
	p("  server_tokens off;")
	p("  default_type text/html;")
	p("  return 404 '%s';", page("Not found", "There is no app of this name."))
	p("}")
	p("include %s*;", filepath.Join(s.Data(pluginName), tlsDefaultFile)) // with a star, as it need not be there
	p("")
	p("include %s/*/nginx.conf;", s.Root())
	b.WriteString(`
map $http_upgrade $dokku_connection {
  default upgrade;
  ''      close;
}

server_names_hash_bucket_size 512;
server_names_hash_max_size 8192;

ssl_session_cache shared:dokku:10m;
ssl_session_timeout 10m;
`)
	return b.String()
}

// tlsDefault is the server of unknown hosts for https: it has no certificate that would be right, so it takes no
// connection.
func tlsDefault(s settings.Settings) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("server {")
	listen(s, p, s.Get(settings.NginxTLSPort, "443"), " ssl http2")
	p("  server_name _dokku;") // no host is called so
	p("  ssl_reject_handshake on;")
	p("  return 404;") // a client may have shaken hands under the name of an app, and ask for another host
	p("}")
	return b.String()
}

// downFile lies where nginx' workers, who are another user, may look.
func (s *site) downFile() string {
	return filepath.Join(s.s.Data(pluginName), "down", s.app.Name+".html")
}

// downPage is what an app's host name answers while the app does not.
func downPage(app string) string {
	return page(app+" does not answer", "The app "+app+" is starting or down. Please try again in a moment.") + "\n"
}

// page is a small page of ours; neither title nor text has a character that means something to HTML or nginx.
func page(title, text string) string {
	return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>` + title + `</title></head>` +
		`<body><h1>` + title + `</h1><p>` + text + `</p></body></html>`
}
