package schedulerdockerlocal

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
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

// TestProcessFiles writes the state files of processes and reads which run; those of others go.
func TestProcessFiles(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	newProcess := func(kind string, index, port int) *process {
		p := &process{kind: kind, index: index}
		p.got = &dockerapi.Container{ID: "id-" + p.dyno(), IP: "172.17.0.2", HostIP: "127.0.0.1", HostPort: port}
		return p
	}
	all := []*process{newProcess("web", 10, 30010), newProcess("web", 2, 30002), newProcess("web", 1, 30001), newProcess("a-worker", 1, 0)}
	if err := recordAll(a, all); err != nil {
		t.Fatal(err)
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
	if err := a.SetState("CONTAINER.web.x", "x"); err != nil {
		t.Fatal(err)
	}
	r := &rollout{app: a, fresh: []*process{newProcess("worker", 1, 0), newProcess("web", 1, 31001)}}
	ip, port, err := r.record()
	if err != nil || ip != "127.0.0.1" || port != "31001" {
		t.Errorf("got %s:%s, %v, want the address of web.1 on the host", ip, port, err)
	}
	for file, want := range map[string]string{"CONTAINER": "id-web.1", "PORT": "31001", "IP": "172.17.0.2", "CONTAINER.web.1": "id-web.1", "PORT.web.1": "31001",
		"CONTAINER.worker.1": "id-worker.1", "PORT.worker.1": "", "CONTAINER.web.2": "", "PORT.web.10": "", "CONTAINER.a-worker.1": "", "CONTAINER.web.x": ""} {
		if got := a.State(file); got != want {
			t.Errorf("%s: got %q, want %q", file, got, want)
		}
	}
	if err := recordAll(a, nil); err != nil || len(a.StateFiles("*")) != 0 {
		t.Errorf("got %v, %v, want no state file for no process", err, a.StateFiles("*"))
	}
}

// TestContainersOf picks the containers of a release, and sees that one is missing.
func TestContainersOf(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for range 2 {
		r := &release.Release{Processes: map[string]int{"web": 2, "worker": 0}}
		if err := release.Begin(a, r); err != nil {
			t.Fatal(err)
		}
		if err := r.Finish(a, release.Deployed, ""); err != nil {
			t.Fatal(err)
		}
	}
	item := func(id, n, dyno string) dockerapi.Container {
		return dockerapi.Container{ID: id, Labels: map[string]string{dockerapi.LabelRelease: n, dockerapi.LabelDyno: dyno}}
	}
	list := []dockerapi.Container{item("a", "1", "web.1"), item("b", "1", "web.2"), item("c", "2", "web.1"), item("d", "", "web.1"),
		item("e", "1", "worker.1"), item("f", "-1", "x"), item("g", "2", "web")}
	for n, want := range map[int]string{0: "d true", 1: "a b true", 2: "c false"} {
		got, complete, err := containersOf(a, list, n)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, p := range got {
			text += p.container + " "
		}
		if text += fmt.Sprint(complete); text != want {
			t.Errorf("release %d: got %s, want %s", n, text, want)
		}
	}
	a = newApp(t)
	if _, complete, err := containersOf(a, nil, 0); err != nil || !complete {
		t.Errorf("never deployed: got %v, %v, want nothing to be missing", complete, err)
	}
	if err := a.SetState("CONTAINER", "old"); err != nil {
		t.Fatal(err)
	}
	if _, complete, err := containersOf(a, nil, 0); err != nil || complete {
		t.Errorf("deployed before there were releases: got %v, %v, want its container to be missing", complete, err)
	}
	if _, _, err := containersOf(a, nil, 7); err == nil {
		t.Error("a release that is not on record: got no error")
	}
}

// TestPortsFile reads what somebody's editor has left.
func TestPortsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "one")
	if err := os.WriteFile(file, []byte(" 80 x -1 0 65536 65535\n443 99999999999999999999"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := readPorts(file); err != nil || fmt.Sprint(got) != "[80 65535 443]" {
		t.Errorf("got %v, %v", got, err)
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
