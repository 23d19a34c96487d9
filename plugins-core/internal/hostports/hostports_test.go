package hostports

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
)

func TestHostPorts(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]string{
		"-p 8080:80":                             "[{ 8080 tcp}]",
		"-p8080:80":                              "[{ 8080 tcp}]",
		"--publish 127.0.0.1:53:53/udp":          "[{127.0.0.1 53 udp}]",
		"--publish=8000-8001:80-81":              "[{ 8000 tcp} { 8001 tcp}]",
		"-p published=8080,target=80":            "[{ 8080 tcp}]",
		"-p 80":                                  "[]",
		"-p 8000-8010:80":                        "[]",
		"--privileged -p nonsense -v /a:/b":      "[]",
		"--memory 1g -p":                         "[]",
		"-e X=1 -p 127.0.0.1::80 -p 0.0.0.0:1:2": "[{0.0.0.0 1 tcp}]",
	} {
		if got := fmt.Sprint(dockerapi.HostPorts(strings.Fields(options))); got != want {
			t.Errorf("%q: got %s, want %s", options, got, want)
		}
	}
}

// FuzzListener reads lines of /proc/net/tcp.
func FuzzListener(f *testing.F) {
	const rest = " 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1"
	f.Add("0: 0100007F:1F90" + rest)
	f.Add("0: 00000000000000000000000000000000:0050" + rest)
	f.Add("sl local_address rem_address st")
	f.Fuzz(func(t *testing.T, line string) {
		ip, port, uid, ok := listener(line)
		if ok && (ip == "" || port < 0 || port > 65535 || uid == "") {
			t.Errorf("%q: got %q %d %q", line, ip, port, uid)
		}
	})
	if ip, port, uid, ok := listener("0: 0100007F:1F90" + rest); ip != "127.0.0.1" || port != 8080 || uid != "1000" || !ok {
		f.Errorf("got %q %d %q %v", ip, port, uid, ok)
	}
}
