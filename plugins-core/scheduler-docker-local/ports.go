package schedulerdockerlocal

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// keptPorts bounds how many host ports an app is remembered to have had.
const keptPorts = 16

// portBook remembers the loopback ports that an app has had. A new container gets one that is free again, so that
// after a few deploys the ports alternate and the proxy's configuration stays the same.
type portBook struct {
	mu    sync.Mutex
	file  string
	ports []int
	next  int
}

func portFile(s settings.Settings, name string) string {
	return filepath.Join(s.Data(pluginName), "ports", name)
}

func openPorts(s settings.Settings, name string) (*portBook, error) {
	b := &portBook{file: portFile(s, name)}
	data, err := os.ReadFile(b.file)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for word := range strings.FieldsSeq(string(data)) {
		if n, err := strconv.Atoi(word); err == nil && n > 0 && n < 65536 {
			b.ports = append(b.ports, n)
		}
	}
	return b, nil
}

// take returns a port to try: one that the app has had, then any that is free at the address ip.
func (b *portBook) take(ip string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next < len(b.ports) {
		b.next++
		return b.ports[b.next-1], nil
	}
	l, err := net.Listen("tcp4", net.JoinHostPort(ip, "0"))
	if err != nil {
		return 0, fmt.Errorf("cannot find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// remember adds a port.
func (b *portBook) remember(port int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if port == 0 || slices.Contains(b.ports, port) {
		return nil
	}
	b.ports = append(b.ports, port)
	b.next = len(b.ports)
	keep := b.ports[max(0, len(b.ports)-keptPorts):]
	words := make([]string, len(keep))
	for i, p := range keep {
		words[i] = strconv.Itoa(p)
	}
	if err := os.MkdirAll(filepath.Dir(b.file), 0o755); err != nil {
		return err
	}
	return record.WriteLine(b.file, strings.Join(words, " "))
}

func forgetPorts(s settings.Settings, name string) error {
	if err := app.CheckName(name); err != nil { // it may come from anybody who triggers post-delete
		return err
	}
	return record.Remove(portFile(s, name))
}
