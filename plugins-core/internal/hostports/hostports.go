// Package hostports knows who has a port of the host.
package hostports

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
)

// RefuseTaken is the error for an app whose docker options publish a port of the host that somebody has; what is the
// thing that they are for, such as "deploy". It is asked before anything is made.
func RefuseTaken(ctx context.Context, engine *dockerapi.Engine, a app.App, what string, options []string) error {
	for _, p := range dockerapi.HostPorts(options) {
		owner, err := Owner(ctx, engine, a, p)
		if err != nil {
			return err
		}
		if owner != "" {
			return fmt.Errorf("cannot %s %q: host port %d, for which its docker options ask, is taken by %s", what, a.Name, p.Port, owner)
		}
	}
	return nil
}

// Owner says who has a port of the host; "": nobody. Without an engine it is told what user listens there.
func Owner(ctx context.Context, engine *dockerapi.Engine, a app.App, p dockerapi.HostPort) (string, error) {
	var got *dockerapi.Container
	var err error
	if engine != nil {
		got, err = engine.Publisher(ctx, p)
	}
	if err != nil {
		return "", err
	}
	if got != nil {
		switch name := got.App; name {
		case "":
			return fmt.Sprintf("container %s", got.Name), nil
		case a.Name:
			return fmt.Sprintf("its own container %s: end that first with dokku ps:stop %s", got.Name, a.Name), nil
		default:
			return fmt.Sprintf("app %s (container %s)", name, got.Name), nil
		}
	}
	for _, file := range []string{"/proc/net/" + p.Proto, "/proc/net/" + p.Proto + "6"} {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			ip, port, uid, ok := listener(lines.Text())
			if ok && port == p.Port && dockerapi.SameAddress(ip, p.IP) {
				_ = f.Close()
				return "a program of user " + userName(uid), nil
			}
		}
		_ = f.Close()
	}
	return "", nil
}

func userName(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}

// listener reads a line of /proc/net/tcp or udp: "sl local remote state queues timer retransmits uid ..." with
// addresses in hex, each four bytes of them in the order of the machine, which is little-endian wherever we run.
func listener(line string) (ip string, port int, uid string, ok bool) {
	f := strings.Fields(line)
	if len(f) < 8 || f[3] != "0A" && f[3] != "07" { // LISTEN, and a udp socket that is not connected
		return "", 0, "", false
	}
	host, text, _ := strings.Cut(f[1], ":")
	n, err := strconv.ParseUint(text, 16, 16)
	raw, err2 := hex.DecodeString(host)
	if err != nil || err2 != nil || len(raw) != 4 && len(raw) != 16 {
		return "", 0, "", false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	addr, _ := netip.AddrFromSlice(raw) // it has 4 or 16 bytes
	return addr.Unmap().String(), int(n), f[7], true
}
