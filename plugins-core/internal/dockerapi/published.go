package dockerapi

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/go-connections/nat"
)

// HostPort is a port of the host that docker options publish.
type HostPort struct {
	IP    string // "": all addresses
	Port  int
	Proto string // tcp or udp
}

// HostPorts lists the ports of the host that words of `docker run` name. What docker does not understand it says itself.
func HostPorts(options []string) []HostPort {
	var out []HostPort
	for i, word := range options {
		spec := ""
		switch {
		case strings.HasPrefix(word, "--publish="):
			spec = strings.TrimPrefix(word, "--publish=")
		case word == "-p" || word == "--publish":
			if i+1 < len(options) {
				spec = options[i+1]
			}
		case strings.HasPrefix(word, "-p"):
			spec = strings.TrimPrefix(word[2:], "=")
		}
		if strings.Contains(spec, "=") { // published=8080,target=80
			spec = shortSpec(spec)
		}
		mappings, err := nat.ParsePortSpec(spec)
		if spec == "" || err != nil {
			continue
		}
		for _, m := range mappings {
			var n int
			if fmt.Sscanf(m.Binding.HostPort, "%d", &n); n > 0 && fmt.Sprint(n) == m.Binding.HostPort { // not a range to choose from
				out = append(out, HostPort{IP: m.Binding.HostIP, Port: n, Proto: m.Port.Proto()})
			}
		}
	}
	return out
}

// shortSpec is the short form of a port that is given by words.
func shortSpec(spec string) string {
	m := map[string]string{"protocol": "tcp"}
	for word := range strings.SplitSeq(spec, ",") {
		key, value, _ := strings.Cut(word, "=")
		m[key] = value
	}
	return m["published"] + ":" + m["target"] + "/" + m["protocol"]
}

// Publisher returns a running container of anybody that publishes a port; nil when none does.
func (e *Engine) Publisher(ctx context.Context, p HostPort) (*Container, error) {
	f := filters.NewArgs(filters.Arg("status", "running"))
	list, err := e.cli.ContainerList(ctx, container.ListOptions{Filters: f})
	if err != nil {
		return nil, explain("list containers", err)
	}
	for _, c := range list {
		for _, got := range c.Ports {
			if int(got.PublicPort) != p.Port || got.Type != p.Proto || !SameAddress(got.IP, p.IP) || len(c.Names) == 0 {
				continue
			}
			return &Container{ID: c.ID, Name: strings.TrimPrefix(c.Names[0], "/"), App: e.appOf(c.ID, c.Labels), Labels: c.Labels}, nil
		}
	}
	return nil, nil
}

// SameAddress tells whether who listens at address x is in the way of who wants to listen at y.
func SameAddress(x, y string) bool {
	all := func(s string) bool { return s == "" || s == "0.0.0.0" || s == "::" }
	return all(x) || all(y) || x == y
}

func hostAddress(ip string, port int) string { return net.JoinHostPort(ip, strconv.Itoa(port)) }

func (c *Container) publishedIn(ports nat.PortMap) {
	for port, bindings := range ports {
		for _, b := range bindings {
			if n, err := strconv.Atoi(b.HostPort); err == nil {
				c.published(port.Proto(), b.HostIP, n)
			}
		}
	}
}

// published notes a port of the host if it is the one for the proxy, as the container's label says: docker options may
// publish others, also of the same port. A container that is older than the label has it at the loopback, as a rule.
func (c *Container) published(proto, ip string, port int) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || !addr.Is4() || proto != "tcp" || port <= 0 {
		return
	}
	if own := c.Labels[LabelAddress]; own != "" {
		if own != hostAddress(ip, port) {
			return
		}
	} else if c.HostPort > 0 && (!addr.IsLoopback() || c.HostIP == ip && c.HostPort < port) {
		return
	}
	c.HostIP, c.HostPort = ip, port
}
