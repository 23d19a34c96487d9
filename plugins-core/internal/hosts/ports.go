package hosts

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
)

// PortMap is the variable of an app with the ports at which the proxy serves it, as SCHEME:HOST:CONTAINER words. It is a
// variable so that it belongs to the app's releases.
const PortMap = "DOKKU_PROXY_PORT_MAP"

// Mapping has the proxy serve an app at a port of the host.
type Mapping struct {
	Scheme    string `json:"scheme"` // http or https
	Host      int    `json:"host_port"`
	Container int    `json:"container_port"` // the port at which its web processes listen
}

func (m Mapping) String() string { return fmt.Sprintf("%s:%d:%d", m.Scheme, m.Host, m.Container) }

// ParseMapping reads SCHEME:HOST:CONTAINER.
func ParseMapping(text string) (Mapping, error) {
	bad := func(why string) error { return fmt.Errorf("cannot use %q as a port mapping: %s", text, why) }
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return Mapping{}, bad("give SCHEME:HOST-PORT:CONTAINER-PORT, such as http:80:5000")
	}
	if parts[0] != "http" && parts[0] != "https" {
		return Mapping{}, bad("the schemes are http and https")
	}
	host, err1 := ParsePort(parts[1])
	container, err2 := ParsePort(parts[2])
	if err1 != nil || err2 != nil {
		return Mapping{}, bad("a port is a number from 1 to 65535")
	}
	return Mapping{Scheme: parts[0], Host: host, Container: container}, nil
}

// ParsePort reads the number of a port, in its one form.
func ParsePort(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != text {
		return 0, fmt.Errorf("cannot use %q as a port: it is no number from 1 to 65535", text)
	}
	return n, nil
}

// Mappings reads the mappings of an app's variables; none: it is served at the proxy's usual ports.
func Mappings(vars envfile.Vars) ([]Mapping, error) {
	var out []Mapping
	for word := range strings.FieldsSeq(vars[PortMap]) {
		m, err := ParseMapping(word)
		if err != nil {
			return nil, fmt.Errorf("%w, in %s", err, PortMap)
		}
		out = append(out, m)
	}
	return out, CheckMappings(out)
}

// CheckMappings refuses mappings that cannot hold together.
func CheckMappings(list []Mapping) error {
	seen := map[int]bool{}
	for _, m := range list {
		switch {
		case seen[m.Host]:
			return fmt.Errorf("cannot map port %d twice", m.Host)
		case m.Container != list[0].Container:
			return fmt.Errorf("cannot map both %d and %d of the containers: an app is served at one port of theirs", list[0].Container, m.Container)
		}
		seen[m.Host] = true
	}
	return nil
}
