package schedulerdockerlocal

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

func TestEstablishedTo(t *testing.T) {
	t.Parallel()
	const v6 = "00000000000000000000000001000000"
	for line, want := range map[string]int{
		"  sl  local_address rem_address   st tx_queue rx_queue":                    0,
		"   0: 0100007F:1F90 0100007F:A0BC 01 00000000:00000000 00:00000000 000000": 0xa0bc,
		"   1: 0100007F:1F90 0100007F:A0BC 0A 00000000:00000000":                    0, // listens
		"   1: 0100007F:1F90 0100007F:A0BC 06 00000000:00000000":                    0, // time-wait
		"   2: " + v6 + ":1F90 " + v6 + ":0050 01 0":                                80,
		"   3: 0100007F:1F90 0100007F 01 0":                                         0,
		"   4: 0100007F:1F90 0100007F:XYZ 01 0":                                     0,
		"   5: 0100007F:1F90 0100007F:12345 01 0":                                   0,
		"":            0,
		"01 01 01 01": 0,
	} {
		if got, ok := establishedTo(line); got != want && ok || ok != (want != 0) {
			t.Errorf("%q: got %d, %v, want %d", line, got, ok, want)
		}
	}
}

// TestConnectedPorts holds a real connection, and a port to which there is none.
func TestConnectedPorts(t *testing.T) {
	t.Parallel()
	listen := func() (net.Listener, int) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l, l.Addr().(*net.TCPAddr).Port
	}
	busy, busyPort := listen()
	_, idlePort := listen()
	conn, err := net.Dial("tcp", busy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got := connectedPorts()
	if !got[busyPort] || got[idlePort] {
		t.Errorf("got %v for the port with a connection, %v for the one without", got[busyPort], got[idlePort])
	}
}

func newApp(t *testing.T) app.App {
	t.Helper()
	a := app.App{Name: "one", Root: t.TempDir()}
	if err := os.Mkdir(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestProcessFiles writes the state files of processes and reads which run.
func TestProcessFiles(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, p := range []*process{{kind: "web", index: 10}, {kind: "web", index: 2}, {kind: "web", index: 1}, {kind: "a-worker", index: 1}} {
		got := &dockerapi.Container{ID: "id-" + p.dyno(), IP: "172.17.0.2", HostPort: 30000 + p.index}
		if p.kind != "web" {
			got.HostPort = 0
		}
		if err := p.record(a, got); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range map[string]string{"CONTAINER": "id-web.1", "CONTAINER.web": "x", "CONTAINER.web.x": "x", "CONTAINER.a.b.1": "x"} {
		if err := a.SetState(file, text); err != nil {
			t.Fatal(err)
		}
	}
	list, err := runningProcesses(a)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		got = append(got, p.dyno()+"="+p.container)
	}
	if want := []string{"a-worker.1=id-a-worker.1", "web.1=id-web.1", "web.2=id-web.2", "web.10=id-web.10"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if a.State("PORT.web.2") != "30002" || a.State("PORT.a-worker.1") != "" || a.State("IP.web.1") != "172.17.0.2" {
		t.Errorf("got %q, %q, %q", a.State("PORT.web.2"), a.State("PORT.a-worker.1"), a.State("IP.web.1"))
	}
	if err := forget(a, "web.2"); err != nil || a.State("CONTAINER.web.2")+a.State("IP.web.2")+a.State("PORT.web.2") != "" {
		t.Errorf("got %v: a forgotten process has state files", err)
	}
}

// TestRecord replaces three processes by two and returns what hooks are told.
func TestRecord(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	r := &rollout{app: a}
	for i := range 3 {
		p := &process{kind: "web", index: i + 1}
		if err := p.record(a, &dockerapi.Container{ID: "old", HostPort: 1 + i}); err != nil {
			t.Fatal(err)
		}
		r.old = append(r.old, p)
	}
	r.fresh = []*process{
		{kind: "worker", index: 1, container: "w", got: &dockerapi.Container{ID: "w", IP: "172.17.0.8"}},
		{kind: "web", index: 1, container: "c1", got: &dockerapi.Container{ID: "c1", IP: "172.17.0.9", HostIP: "127.0.0.1", HostPort: 31001}},
	}
	ip, port, err := r.record()
	if err != nil || ip != "127.0.0.1" || port != "31001" {
		t.Errorf("got %s:%s, %v, want the address of web.1 on the host", ip, port, err)
	}
	for file, want := range map[string]string{"CONTAINER": "c1", "PORT": "31001", "IP": "172.17.0.9", "CONTAINER.web.1": "c1", "PORT.web.1": "31001",
		"CONTAINER.worker.1": "w", "PORT.worker.1": "", "CONTAINER.web.2": "", "PORT.web.2": "", "CONTAINER.web.3": ""} {
		if got := a.State(file); got != want {
			t.Errorf("%s: got %q, want %q", file, got, want)
		}
	}
	if got, want := r.madeFiles(), []string{"CONTAINER.worker.1", "IP.worker.1", "PORT.worker.1", "CONTAINER.web.1", "IP.web.1", "PORT.web.1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestPorts deploys again and again: once two generations have their ports, no new one is asked for.
func TestPorts(t *testing.T) {
	t.Parallel()
	s := settings.Settings{Env: []string{settings.LibRoot + "=" + t.TempDir()}}
	deploy := func(taken []int, n int) (got []int) {
		t.Helper()
		b, err := openPorts(s, "one")
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			port, err := b.take("127.0.0.1")
			for err == nil && slices.Contains(taken, port) {
				port, err = b.take("127.0.0.1")
			}
			if err != nil || port < 1024 {
				t.Fatalf("got port %d, %v", port, err)
			}
			if err := b.remember(port); err != nil {
				t.Fatal(err)
			}
			got = append(got, port)
		}
		return got
	}
	first := deploy(nil, 2)
	second := deploy(first, 2)
	for _, port := range second {
		if slices.Contains(first, port) {
			t.Errorf("got %v, then %v: a port twice", first, second)
		}
	}
	for range 5 {
		third := deploy(second, 2)
		if fmt.Sprint(third) != fmt.Sprint(first) {
			t.Errorf("got %v, want %v again", third, first)
		}
		first, second = second, third
	}
	var taken []int
	for range 30 {
		taken = append(taken, deploy(append(taken, append(first, second...)...), 1)...)
	}
	b, err := openPorts(s, "one")
	if err != nil || len(b.ports) > keptPorts {
		t.Errorf("got %d ports, %v, want at most %d", len(b.ports), err, keptPorts)
	}
	if err := forgetPorts(s, "one"); err != nil {
		t.Fatal(err)
	}
	if b, err = openPorts(s, "one"); err != nil || len(b.ports) != 0 {
		t.Errorf("got %v, %v after the app's end", b.ports, err)
	}
	for _, name := range []string{"", "..", "../one"} {
		if err := forgetPorts(s, name); err == nil {
			t.Errorf("forgetPorts(%q): got no error", name)
		}
	}
}

// TestPortsFile reads what somebody's editor has left.
func TestPortsFile(t *testing.T) {
	t.Parallel()
	s := settings.Settings{Env: []string{settings.LibRoot + "=" + t.TempDir()}}
	b, err := openPorts(s, "one")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.remember(1); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.file, []byte(" 80 x -1 0 65536 65535\n443 99999999999999999999"), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err = openPorts(s, "one"); err != nil || fmt.Sprint(b.ports) != "[80 65535 443]" {
		t.Errorf("got %v, %v", b.ports, err)
	}
}

func TestWebPort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind  string
		ports []int
		want  int
	}{{"web", nil, 5000}, {"web", []int{80, 443}, 80}, {"worker", nil, 0}, {"worker", []int{80}, 0}} {
		r := &rollout{image: &dockerapi.Image{Ports: c.ports}}
		if got := r.webPort(c.kind); got != c.want {
			t.Errorf("%s with %v: got %d, want %d", c.kind, c.ports, got, c.want)
		}
	}
}

func TestParallel(t *testing.T) {
	t.Parallel()
	err := parallel([]int{1, 2, 3, 4}, func(n int) error {
		if n%2 == 0 {
			return fmt.Errorf("no %d", n)
		}
		return nil
	})
	if err == nil || strings.Count(err.Error(), "no ") != 2 {
		t.Errorf("got %v, want both failures", err)
	}
	if err := parallel(nil, func(int) error { return nil }); err != nil {
		t.Errorf("got %v", err)
	}
}
