// Package ports is the plugin of the commands about the ports of the host at which apps are served.
package ports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/hostports"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "ports",
		Description: "says at which ports of the host apps are served",
		Hooks:       map[string]plug.Hook{"ports-get": printAll, "report": reporter().Hook},
		Commands: []plug.Command{
			{Name: "ports:list", Args: "APP", Help: "List the ports at which an application is served", Run: list, Aliases: []string{"ports", "proxy:ports"}},
			{Name: "ports:add", Args: "APP SCHEME:HOST:CONTAINER...", Help: "Serve an application at more ports", Run: change(add), Aliases: []string{"proxy:ports-add"}},
			{Name: "ports:set", Args: "APP SCHEME:HOST:CONTAINER...", Help: "Replace the ports at which an application is served", Run: change(set), Aliases: []string{"proxy:ports-set"}},
			{Name: "ports:remove", Args: "APP HOST|SCHEME:HOST:CONTAINER...", Help: "Serve an application at fewer ports", Run: change(remove), Aliases: []string{"proxy:ports-remove"}},
			{Name: "ports:clear", Args: "APP", Help: "Serve an application at the usual ports", Run: change(clearAll), Aliases: []string{"proxy:ports-clear"}},
			{Name: "ports:report", Args: reporter().Args(), Help: "Show the ports at which applications are served", Run: reporter().Run},
		},
	}
}

func read(a app.App) ([]hosts.Mapping, error) {
	vars, err := a.Env()
	if err != nil {
		return nil, err
	}
	return hosts.Mappings(vars)
}

func words(list []hosts.Mapping) string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.String()
	}
	return strings.Join(out, " ")
}

// usual are the mappings of an app that has none of its own.
func usual(ctx context.Context, c *plug.C, a app.App) ([]hosts.Mapping, error) {
	current, err := release.Current(a)
	if err != nil {
		return nil, err
	}
	container := current.Port("web")
	http, err := hosts.ParsePort(c.Settings().Get(settings.NginxPort, "80"))
	if err != nil {
		return nil, err
	}
	out := []hosts.Mapping{{Scheme: "http", Host: http, Container: container}}
	exists, err := c.FirstLine(ctx, "certs-exists", a.Name)
	if err != nil || exists != "true" {
		return out, err
	}
	https, err := hosts.ParsePort(c.Settings().Get(settings.NginxTLSPort, "443"))
	return append(out, hosts.Mapping{Scheme: "https", Host: https, Container: container}), err
}

// printAll is for plugins: the ports at which the app is served, be they its own or the usual ones.
func printAll(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	all, err := read(a)
	if err == nil && len(all) == 0 {
		all, err = usual(ctx, c, a)
	}
	if err != nil {
		return err
	}
	switch format := c.Arg(1); format {
	case "", "stdout":
		for _, m := range all {
			fmt.Fprintln(c.Stdout, m)
		}
		return nil
	case "json":
		return json.NewEncoder(c.Stdout).Encode(all)
	default:
		return c.Usage("cannot print ports as %q: the formats are stdout and json", format)
	}
}

func list(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	all, err := read(a)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		c.Warn("No port mappings configured for %s: it is served at the usual ports", a.Name)
		return nil
	}
	if !c.Settings().On(settings.Quiet) {
		c.Info1("Port mappings for %s", a.Name)
		fmt.Fprintf(c.Stdout, "%-18s %-18s %s\n", "-----> scheme", "host port", "container port")
	}
	for _, m := range all {
		fmt.Fprintf(c.Stdout, "%-18s %-18d %d\n", m.Scheme, m.Host, m.Container)
	}
	return nil
}

func reporter() plug.Reporter { return plug.Reporter{Area: "ports", Of: reportOf} }

func reportOf(_ context.Context, _ *plug.C, a app.App) (plug.Facts, error) {
	all, err := read(a)
	return plug.Facts{{Name: "map", Value: words(all)}}, err
}

// edit makes new mappings of those that there are.
type edit func(c *plug.C, old []hosts.Mapping) ([]hosts.Mapping, error)

func given(c *plug.C) ([]hosts.Mapping, error) {
	if len(c.Args) < 2 {
		return nil, c.Usage("cannot map no ports: give SCHEME:HOST-PORT:CONTAINER-PORT, such as http:80:5000")
	}
	var out []hosts.Mapping
	for _, word := range c.Args[1:] {
		m, err := hosts.ParseMapping(word)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func set(c *plug.C, _ []hosts.Mapping) ([]hosts.Mapping, error) { return given(c) }

func add(c *plug.C, old []hosts.Mapping) ([]hosts.Mapping, error) {
	more, err := given(c)
	if err != nil {
		return nil, err
	}
	for _, m := range more {
		if !slices.Contains(old, m) {
			old = append(old, m)
		}
	}
	return old, nil
}

func remove(c *plug.C, old []hosts.Mapping) ([]hosts.Mapping, error) {
	if len(c.Args) < 2 {
		return nil, c.Usage("cannot remove no ports: give ports of the host, or mappings")
	}
	return slices.DeleteFunc(old, func(m hosts.Mapping) bool {
		return slices.Contains(c.Args[1:], m.String()) || slices.Contains(c.Args[1:], strconv.Itoa(m.Host))
	}), nil
}

func clearAll(c *plug.C, _ []hosts.Mapping) ([]hosts.Mapping, error) {
	if len(c.Args) > 1 {
		return nil, c.Usage("cannot use %q: too many words", c.Args[1])
	}
	return nil, nil
}

// change is a verb that edits the mappings. They count at once; where another port of the containers is meant, these are
// made anew.
func change(f edit) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		return c.Lock(ctx, a, func(c *plug.C) error {
			old, err := read(a)
			if err != nil {
				c.Warn("%v", err) // and is mended by what follows
			}
			next, err := f(c, slices.Clone(old))
			if err == nil {
				err = hosts.CheckMappings(next)
			}
			if err != nil {
				return err
			}
			if slices.Equal(old, next) {
				c.Verbose("Nothing changed")
				return nil
			}
			if err := refuseTaken(ctx, c, a, old, next); err != nil {
				return err
			}
			if err := write(ctx, c, a, next); err != nil {
				return err
			}
			if err := serve(ctx, c, a, old, next); err != nil {
				return errors.Join(err, write(ctx, c, a, old))
			}
			c.Info1("Port mappings of %s: %s", a.Name, cmpOr(words(next), "the usual ones"))
			return c.Trigger(ctx, "post-proxy-ports-update", append([]string{a.Name, strings.TrimPrefix(c.Verb(), "ports:")}, c.Args[1:]...)...)
		})
	}
}

func cmpOr(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func write(ctx context.Context, c *plug.C, a app.App, list []hosts.Mapping) error {
	quiet := c.WithOutput(io.Discard, c.Stderr)
	if len(list) == 0 {
		return quiet.Trigger(ctx, "config-unset", "--no-restart", a.Name, hosts.PortMap)
	}
	return quiet.Trigger(ctx, "config-set", "--no-restart", a.Name, hosts.PortMap+"="+words(list))
}

func serve(ctx context.Context, c *plug.C, a app.App, old, next []hosts.Mapping) error {
	container := func(list []hosts.Mapping) int {
		if len(list) == 0 {
			return 0
		}
		return list[0].Container
	}
	if container(old) != container(next) {
		return deploy.RestartLocked(ctx, c, a, "ports")
	}
	return deploy.Reproxy(ctx, c, a)
}

// refuseTaken is the error for a port that somebody has who is not the proxy.
func refuseTaken(ctx context.Context, c *plug.C, a app.App, old, next []hosts.Mapping) error {
	proxys, err := proxyPorts(c, a)
	if err != nil {
		return err
	}
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return err
	}
	defer engine.Close()
	for _, m := range next {
		if proxys[m.Host] || slices.ContainsFunc(old, func(o hosts.Mapping) bool { return o.Host == m.Host }) {
			continue
		}
		p := dockerapi.HostPort{IP: c.Settings().Get(settings.NginxAddress, ""), Port: m.Host, Proto: "tcp"}
		owner, err := hostports.Owner(ctx, engine, a, p)
		if err != nil { // without the engine, docker's own proxy is seen all the same
			owner, err = hostports.Owner(ctx, nil, a, p)
		}
		if err != nil {
			return err
		}
		if owner != "" {
			return fmt.Errorf("cannot serve %q at port %d: it is taken by %s", a.Name, m.Host, owner)
		}
	}
	return nil
}

// proxyPorts are the ports at which the proxy serves already: several apps may be served at one.
func proxyPorts(c *plug.C, a app.App) (map[int]bool, error) {
	out := map[int]bool{}
	for key, def := range map[string]string{settings.NginxPort: "80", settings.NginxTLSPort: "443"} {
		if n, err := hosts.ParsePort(c.Settings().Get(key, def)); err == nil {
			out[n] = true
		}
	}
	apps, err := app.List(a.Root)
	if err != nil {
		return nil, err
	}
	for _, name := range apps {
		other := app.App{Name: name, Root: a.Root}
		if list, err := read(other); err == nil && deploy.Deployed(other) {
			for _, m := range list {
				out[m.Host] = true
			}
		}
	}
	return out, nil
}
