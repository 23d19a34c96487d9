package schedulerdockerlocal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// portSets is how many sets of host ports an app has, each with one for every web process: one serves, and the others
// are for the next deploys, while old containers are busy.
const portSets = 7

// The range that host ports of apps are taken from. It lies below the one from which the kernel takes ports for outgoing
// connections, so that none of an app that is down is in other hands when it comes back.
const (
	firstPort = 20000
	lastPort  = 32767
)

// portBook holds the host ports of an app, set by set, which are used in turn, so that the proxy's configuration stays
// the same. A port is one app's as long as that has it in its book, whether or not anything listens there: the proxy
// may still lead to it.
type portBook struct {
	mu    sync.Mutex
	file  string
	size  int // of a set
	ports []int
	last  int          // one of the set that serves, after which the next comes; 0: none
	busy  map[int]bool // containers have them
	next  []int        // what is left of the set that is being given out
}

func portDir(s settings.Settings) string { return filepath.Join(s.Data(pluginName), "ports") }

// openPorts opens the book of an app with so many web processes, whose containers have the busy ports.
func openPorts(s settings.Settings, name string, size int, serving, busy []int) (*portBook, error) {
	b := &portBook{file: filepath.Join(portDir(s), name), size: max(1, size), busy: map[int]bool{}}
	for _, port := range slices.Concat(serving, busy) {
		b.busy[port] = true
	}
	if len(serving) > 0 {
		b.last = serving[0]
	}
	var err error
	b.ports, err = readPorts(b.file)
	return b, err
}

func readPorts(file string) (ports []int, err error) {
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for word := range strings.FieldsSeq(string(data)) {
		if n, err := strconv.Atoi(word); err == nil && n > 0 && n < 65536 {
			ports = append(ports, n)
		}
	}
	return ports, nil
}

// sets are the app's sets of ports in the order in which they come, the one that serves last. The last of the book may
// not be whole.
func (b *portBook) sets() [][]int {
	sets := slices.Collect(slices.Chunk(b.ports, b.size))
	at := slices.IndexFunc(sets, func(set []int) bool { return slices.Contains(set, b.last) })
	return slices.Concat(sets[at+1:], sets[:at+1])
}

// isFree tells whether no container has a port of the set, nor anybody else.
func (b *portBook) isFree(set []int, ip string) bool {
	return len(set) == b.size && !slices.ContainsFunc(set, func(port int) bool { return b.busy[port] || !listenable(ip, port) })
}

func listenable(ip string, port int) bool {
	l, err := net.Listen("tcp4", net.JoinHostPort(ip, strconv.Itoa(port)))
	if err == nil {
		_ = l.Close()
	}
	return err == nil
}

// take returns a port to try: one of the app's next set that is free, else a new one.
func (b *portBook) take(ctx context.Context, ip string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.next) == 0 {
		sets := b.sets()
		i := slices.IndexFunc(sets, func(set []int) bool { return b.isFree(set, ip) })
		if i < 0 {
			if err := b.add(ctx, ip, 1, 1); err != nil {
				return 0, err
			}
			sets = slices.Collect(slices.Chunk(b.ports, b.size))
			i = len(sets) - 1
		}
		b.next = slices.Clone(sets[i])
	}
	port := b.next[0]
	b.next, b.busy[port] = b.next[1:], true
	return port, nil
}

// add puts sets in the book, of ports that are in no other app's and that nothing listens on; when ports have become
// scarce, not more than are needed.
func (b *portBook) add(ctx context.Context, ip string, sets, needed int) error {
	dir := filepath.Dir(b.file)
	unlock, err := app.LockPath(ctx, filepath.Join(dir, ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if b.ports, err = readPorts(b.file); err != nil { // another process may have added some
		return err
	}
	taken, err := allPorts(dir)
	if err != nil {
		return err
	}
	const count = lastPort - firstPort + 1
	if len(taken) > count/2 {
		sets = needed
	}
	want := sets * b.size
	if part := len(b.ports) % b.size; part > 0 && sets > 0 { // the last set is made whole
		want += b.size - part
	}
	var more []int
	for i, start := 0, rand.IntN(count); i < count && len(more) < want; i++ {
		port := firstPort + (start+i)%count
		if !b.busy[port] && !taken[port] && listenable(ip, port) {
			more = append(more, port)
		}
	}
	if len(more) < want {
		return fmt.Errorf("cannot find a free port for %q: all of %d to %d are taken", filepath.Base(b.file), firstPort, lastPort)
	}
	b.ports = append(b.ports, more...)
	return b.write()
}

// allPorts are the ports of all apps.
func allPorts(dir string) (map[int]bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := map[int]bool{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		ports, err := readPorts(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		for _, port := range ports {
			all[port] = true
		}
	}
	return all, nil
}

// trim drops sets that are more than there have to be, of an app that had more web processes or more busy containers
// once; none of which a container has a port.
func (b *portBook) trim(ctx context.Context) error {
	unlock, err := app.LockPath(ctx, filepath.Join(filepath.Dir(b.file), ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if b.ports, err = readPorts(b.file); err != nil {
		return err
	}
	for at := (len(b.ports)/b.size - 1) * b.size; at >= 0 && len(b.ports) > portSets*b.size; at -= b.size {
		if set := b.ports[at : at+b.size]; !slices.ContainsFunc(set, func(port int) bool { return b.busy[port] }) {
			b.ports = slices.Delete(b.ports, at, at+b.size)
		}
	}
	return b.write()
}

func (b *portBook) write() error {
	words := make([]string, len(b.ports))
	for i, p := range b.ports {
		words[i] = strconv.Itoa(p)
	}
	return record.WriteLine(b.file, strings.Join(words, " "))
}

func forgetPorts(s settings.Settings, name string) error {
	if err := app.CheckName(name); err != nil { // it may come from anybody who triggers post-delete
		return err
	}
	return record.Remove(filepath.Join(portDir(s), name))
}

// movePorts has an app's book of ports follow to the app's new name. It can be repeated.
func movePorts(ctx context.Context, s settings.Settings, from, to string) error {
	for _, name := range []string{from, to} {
		if err := app.CheckName(name); err != nil {
			return err
		}
	}
	unlock, err := app.LockPath(ctx, filepath.Join(portDir(s), ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	old := filepath.Join(portDir(s), from)
	if _, err := os.Lstat(old); err != nil {
		return nil // it has none, or it has followed already
	}
	return record.Rename(old, filepath.Join(portDir(s), to))
}

// servingPorts are the host ports that the app's state files name.
func servingPorts(a app.App) []int {
	var ports []int
	for _, file := range a.StateFiles("PORT.*") {
		if n, err := strconv.Atoi(a.State(file)); err == nil {
			ports = append(ports, n)
		}
	}
	return ports
}

// printReserved prints the addresses that the web processes of the next releases will have, a line each and an empty
// line between releases, so that the proxy can lead there before they exist.
func printReserved(ctx context.Context, c *plug.C, engine *dockerapi.Engine, a app.App) error {
	size, err := webCount(a)
	if err != nil || size == 0 {
		return err
	}
	busy, listErr := busyPorts(ctx, engine, a)
	book, err := openPorts(c.Settings(), a.Name, size, servingPorts(a), busy)
	if err != nil {
		return err
	}
	switch n := len(book.ports) / size; {
	case n < portSets:
		if err := book.add(ctx, "127.0.0.1", portSets-n, max(0, 2-n)); err != nil {
			c.Warn("%v", err) // the proxy can do without
		}
	case n > portSets && listErr == nil:
		if err := book.trim(ctx); err != nil {
			return err
		}
	}
	printed := 0
	for _, set := range book.sets() {
		if len(set) < size || slices.Contains(set, book.last) || printed == portSets-1 {
			continue
		}
		if printed++; printed > 1 {
			fmt.Fprintln(c.Stdout)
		}
		for _, port := range set {
			fmt.Fprintln(c.Stdout, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		}
	}
	return nil
}

// webCount is how many web processes the app runs.
func webCount(a app.App) (n int, err error) {
	counts, err := scale.Read(a)
	for _, p := range counts {
		if p.Type == "web" {
			n += p.Count
		}
	}
	return n, err
}

// busyPorts are those that containers of the app have, also ones that do not serve any more.
func busyPorts(ctx context.Context, engine *dockerapi.Engine, a app.App) (ports []int, err error) {
	list, err := engine.List(ctx, a.Name, kindDeploy)
	for _, item := range list {
		if item.HostPort != 0 {
			ports = append(ports, item.HostPort)
		}
	}
	return ports, err
}
