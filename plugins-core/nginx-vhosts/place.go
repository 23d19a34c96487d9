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

// groups are the upstreams of an app, its sides. Which one answers is told by the switch files.
type groups struct {
	Sides [][]string `json:"sides"` // the addresses of each

	// A record of the time of two sides.
	Blue  []string `json:"blue,omitempty"`
	Green []string `json:"green,omitempty"`
}

// switches are the directories of switch files, one for each bit of a side's number, and what they add to the name of
// its upstream; no app's name has an underscore.
func switches() []string { return []string{"green", "two", "four"} }

// maxSides is how many sides the switch files can tell apart.
const maxSides = 8

// upstream is the name of a side's upstream, as far as the first switches decide it.
func (s *site) upstream(side, levels int) string {
	name := s.app.Name
	for level, suffix := range switches()[:levels] {
		if side>>level&1 == 1 {
			name += "_" + suffix
		}
	}
	return name
}

// switchFile is what decides the bit of a level for the side, and for those with the same lower bits. It lies where
// nginx' workers, who are another user, may look.
func (s *site) switchFile(level, side int) string {
	return filepath.Join(s.s.Data(pluginName), switches()[level], s.upstream(side, level))
}

// side is the number of the side that answers, found as nginx finds it at each request.
func (s *site) side() int {
	side := 0
	for level := range switches() {
		if _, err := os.Lstat(s.switchFile(level, side)); err == nil {
			side |= 1 << level
		}
	}
	return side
}

// flip says which side answers. The files are those of a tree: each but one is below the part of it that requests go
// through, and at that one they take the other way. So there is one moment of the switch, from whichever side to
// whichever.
func (s *site) flip(to int) error {
	for level := len(switches()) - 1; level >= 0; level-- {
		file := s.switchFile(level, to)
		_, err := os.Lstat(file)
		is, want := err == nil, to>>level&1 == 1
		switch {
		case want && !is:
			err = record.WriteLine(file, s.app.Name)
		case is && !want:
			err = record.Remove(file)
		default:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeSwitches removes all switch files of the app.
func (s *site) removeSwitches() error {
	var errs []error
	for level := range switches() {
		for side := range 1 << level {
			if file := s.switchFile(level, side); level == 0 || exists(file) {
				errs = append(errs, record.Remove(file))
			}
		}
	}
	return errors.Join(errs...)
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// place finds the side that is to answer: one that has the addresses already, best the one that answers now. Else nginx
// has to be reloaded, and then it is told all sets of addresses that the next deploys will have, too: reserved. The side
// that answers is not touched.
func place(sides [][]string, now int, addresses []string, reserved [][]string) (next [][]string, to int) {
	is := func(side []string) bool { return slices.Equal(side, addresses) }
	if now < len(sides) && is(sides[now]) {
		to = now
	} else {
		to = slices.IndexFunc(sides, is)
	}
	if to >= 0 && len(reserved) == 0 {
		return sides, to
	}
	wanted := append([][]string{addresses}, reserved...)
	want := func(side []string) bool {
		i := slices.IndexFunc(wanted, func(w []string) bool { return slices.Equal(w, side) })
		if i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
		}
		return i >= 0
	}
	if now >= len(sides) { // switch files that were left behind count until the switch
		next = make([][]string, max(now+1, min(len(wanted), maxSides)))
		next[now] = addresses
		want(addresses)
	} else {
		want(sides[now])
		wanted = wanted[:min(len(wanted), maxSides-1)]
		next = make([][]string, max(now+1, 1+len(wanted)))
		next[now] = sides[now]
		for i, side := range sides[:min(len(sides), len(next))] {
			if i != now && want(side) { // it stays where it is
				next[i] = side
			}
		}
	}
	for i := range next {
		switch {
		case next[i] != nil:
		case len(wanted) > 0:
			next[i], wanted = wanted[0], wanted[1:]
		default:
			next[i] = addresses // nginx refuses an upstream without any
		}
	}
	if is(next[now]) {
		return next, now
	}
	return next, slices.IndexFunc(next, is)
}

// reserved asks the scheduler for the addresses of the app's next deploys, a set for each; none when it does not know.
func (s *site) reserved(ctx context.Context) (sets [][]string, err error) {
	scheduler, err := deploy.SchedulerOf(ctx, s.c, s.app)
	if err != nil {
		return nil, err
	}
	out, err := s.c.Query(ctx, "scheduler-reserved-addresses", scheduler, s.app.Name)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(out, "\n\n") {
		set := strings.Fields(part)
		for _, address := range set {
			if !validAddress(address) {
				s.c.Warn("cannot use %q as an address of the next deploy of %s: it is no IP:PORT", address, s.app.Name)
				return nil, nil
			}
		}
		if slices.Sort(set); len(set) > 0 {
			sets = append(sets, set)
		}
	}
	return sets, nil
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

// readSides returns the app's sides and the number of the one that answers. An older record is one of two sides, and
// has to be made more of.
func (s *site) readSides() (sides [][]string, now int, older bool, err error) {
	var g groups
	data, err := os.ReadFile(s.groupsFile())
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, 0, false, fmt.Errorf("cannot read the upstreams of %q: %w", s.app.Name, err)
	}
	if len(g.Sides) == 0 && len(g.Blue) > 0 && len(g.Green) > 0 {
		g.Sides, older = [][]string{g.Blue, g.Green}, true
	}
	return g.Sides[:min(len(g.Sides), maxSides)], s.side(), older, nil
}

func (s *site) writeSides(sides [][]string) error {
	data, err := json.Marshal(groups{Sides: sides})
	if err != nil {
		return err
	}
	return record.Write(s.groupsFile(), append(data, '\n'), 0o644)
}
