// Package proxy is how to a web server through the proxies that the settings name. What dokkurc says is in the settings
// only, and not in the environment of the process, which is where package net/http looks.
package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Func goes by HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or their lower-case names.
func Func(s settings.Settings) func(*url.URL) (*url.URL, error) {
	get := func(name string) string { return s.Get(name, s.Get(strings.ToLower(name), "")) }
	return (&httpproxy.Config{HTTPProxy: get("HTTP_PROXY"), HTTPSProxy: get("HTTPS_PROXY"), NoProxy: get("NO_PROXY")}).ProxyFunc()
}

// Of is [Func] for the field Proxy of a transport.
func Of(s settings.Settings) func(*http.Request) (*url.URL, error) {
	proxy := Func(s)
	return func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
}
