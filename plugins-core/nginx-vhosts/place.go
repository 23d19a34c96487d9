package nginxvhosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// place puts addresses in one of the groups and tells which is to answer: the one that has them already, else the one
// that is idle now. An app without groups gets its addresses in one and in the other those that its next deploy will
// have, or the same if they are not known.
func place(g groups, green bool, addresses, reserved []string) (groups, bool) {
	switch {
	case len(g.Blue) == 0 || len(g.Green) == 0:
		if len(reserved) == 0 {
			return groups{Blue: addresses, Green: addresses}, false
		}
		if green { // left behind, and it counts until the switch
			return groups{Blue: reserved, Green: addresses}, true
		}
		return groups{Blue: addresses, Green: reserved}, false
	case green && slices.Equal(g.Green, addresses):
		return g, true
	case slices.Equal(g.Blue, addresses):
		return g, false
	case slices.Equal(g.Green, addresses):
		return g, true
	case green:
		g.Blue = addresses
		return g, false
	}
	g.Green = addresses
	return g, true
}

// reserved asks the scheduler for the addresses of the app's next deploy; none when it does not know.
func (s *site) reserved(ctx context.Context) ([]string, error) {
	scheduler, err := deploy.SchedulerOf(ctx, s.c, s.app)
	if err != nil {
		return nil, err
	}
	out, err := s.c.Query(ctx, "scheduler-reserved-addresses", scheduler, s.app.Name)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for line := range strings.Lines(out) {
		address := strings.TrimSpace(line)
		if !validAddress(address) {
			s.c.Warn("cannot use %q as an address of the next deploy of %s: it is no IP:PORT", address, s.app.Name)
			return nil, nil
		}
		addresses = append(addresses, address)
	}
	slices.Sort(addresses)
	return addresses, nil
}

// validAddress tells whether s is IP:PORT, which is all that may become the address of a server.
func validAddress(s string) bool {
	ip, port, err := net.SplitHostPort(s)
	if err != nil || net.ParseIP(ip) == nil {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n > 0 && n < 65536 && strconv.Itoa(n) == port
}

// addresses lists where the app's web processes listen, from its state files.
func (s *site) addresses() []string {
	var out []string
	for _, file := range s.app.StateFiles("PORT.web.*") {
		if port := s.app.State(file); port != "" {
			out = append(out, net.JoinHostPort("127.0.0.1", port))
		}
	}
	slices.Sort(out) // which process got which port makes no difference to nginx
	return out
}

func (s *site) groupsFile() string { return filepath.Join(s.s.Data(pluginName), "groups", s.app.Name) }

// readGroups returns the app's groups and whether green answers.
func (s *site) readGroups() (g groups, green bool, err error) {
	data, err := os.ReadFile(s.groupsFile())
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return g, false, fmt.Errorf("cannot read the upstreams of %q: %w", s.app.Name, err)
	}
	_, err = os.Stat(s.switchFile())
	return g, err == nil, nil
}

func (s *site) writeGroups(g groups) error {
	data, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return record.Write(s.groupsFile(), append(data, '\n'), 0o644)
}
