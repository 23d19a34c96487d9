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

// keptPorts bounds how many host ports an app has.
const keptPorts = 16

// The range that host ports of apps are taken from. It lies below the one from which the kernel takes ports for outgoing
// connections, so that none of an app that is down is in other hands when it comes back.
const (
	firstPort = 20000
	lastPort  = 32767
)

// portBook holds the host ports of an app, in turn for one release and the next, so that the proxy's configuration stays
// the same. A port is one app's as long as that has it in its book, whether or not anything listens there: the proxy
// may still lead to it.
type portBook struct {
	mu    sync.Mutex
	file  string
	ports []int
	tried []int // not to be given out again: in use now, or found to be taken
}

func portDir(s settings.Settings) string { return filepath.Join(s.Data(pluginName), "ports") }

func openPorts(s settings.Settings, name string) (*portBook, error) {
	b := &portBook{file: filepath.Join(portDir(s), name)}
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

// inUse tells the book which ports the containers have that serve now.
func (b *portBook) inUse(ports ...int) { b.tried = append(b.tried, ports...) }

// take returns a port to try: the next of the app's own that is not in use, else a new one that is free at the address.
func (b *portBook) take(ctx context.Context, ip string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, port := range b.ports {
		if !slices.Contains(b.tried, port) {
			b.tried = append(b.tried, port)
			return port, nil
		}
	}
	port, err := b.add(ctx, ip)
	b.tried = append(b.tried, port)
	return port, err
}

// add puts a port in the book that is in no other app's and that nothing listens on.
func (b *portBook) add(ctx context.Context, ip string) (int, error) {
	dir := filepath.Dir(b.file)
	unlock, err := app.LockPath(ctx, filepath.Join(dir, ".lock"))
	if err != nil {
		return 0, err
	}
	defer unlock()
	taken, err := allPorts(dir)
	if err != nil {
		return 0, err
	}
	const count = lastPort - firstPort + 1
	for i, start := 0, rand.IntN(count); i < count; i++ {
		port := firstPort + (start+i)%count
		if slices.Contains(b.tried, port) || taken[port] {
			continue
		}
		l, err := net.Listen("tcp4", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = l.Close()
		b.ports = append(b.ports, port)
		return port, b.write()
	}
	return 0, fmt.Errorf("cannot find a free port for %q: all of %d to %d are taken", filepath.Base(b.file), firstPort, lastPort)
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

func (b *portBook) write() error {
	b.ports = b.ports[max(0, len(b.ports)-keptPorts):]
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

// printReserved prints the addresses that the web processes of the next release will have, a line each, so that the
// proxy can lead there before they exist.
func printReserved(ctx context.Context, c *plug.C, _ *dockerapi.Engine, a app.App) error {
	book, err := openPorts(c.Settings(), a.Name)
	if err != nil {
		return err
	}
	book.inUse(servingPorts(a)...)
	counts, err := scale.Read(a)
	if err != nil {
		return err
	}
	for _, p := range counts {
		for range p.Count {
			if p.Type != "web" {
				break
			}
			port, err := book.take(ctx, "127.0.0.1")
			if err != nil {
				return err
			}
			fmt.Fprintln(c.Stdout, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		}
	}
	return nil
}
