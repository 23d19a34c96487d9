package schedulerdockerlocal

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// ports are the books of a host, and what its apps have in service.
type ports struct {
	t       *testing.T
	s       settings.Settings
	serving map[string][]int
}

// deploy has an app take a port for each of its web processes, while old containers have the busy ones.
func (p *ports) deploy(name string, size int, busy ...int) []int {
	p.t.Helper()
	b, err := openPorts(p.s, name, size, p.serving[name], busy)
	if err != nil {
		p.t.Fatal(err)
	}
	got := make([]int, size)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			port, err := b.take(p.t.Context(), "127.0.0.1")
			if err != nil || port < firstPort || port > lastPort || slices.Contains(busy, port) || slices.Contains(p.serving[name], port) {
				p.t.Errorf("%s: got port %d, %v while %v serve and %v are busy", name, port, err, p.serving[name], busy)
			}
			got[i] = port
		})
	}
	wg.Wait()
	slices.Sort(got)
	p.serving[name] = got
	return got
}

func (p *ports) book(name string) []int {
	p.t.Helper()
	got, err := readPorts(portDir(p.s) + "/" + name)
	if err != nil {
		p.t.Fatal(err)
	}
	return got
}

func newPorts(t *testing.T) *ports {
	return &ports{t: t, s: settings.Settings{Env: []string{settings.LibRoot + "=" + t.TempDir()}}, serving: map[string][]int{}}
}

// TestPorts deploys again and again: the sets that the app has are used in turn, and as long as one of them is free no
// new port is asked for.
func TestPorts(t *testing.T) {
	t.Parallel()
	p := newPorts(t)
	for i := range 3 {
		p.deploy("one", 2)
		b, err := openPorts(p.s, "one", 2, p.serving["one"], nil)
		if err == nil && i == 0 {
			err = b.add(t.Context(), "127.0.0.1", portSets-1, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	other := p.deploy("other", 2)
	book := p.book("one")
	if len(book) != 2*portSets || slices.Contains(book, other[0]) || slices.Contains(book, other[1]) {
		t.Errorf("got %v, and %v of another app: want %d ports of its own", book, other, 2*portSets)
	}
	seen := map[string]int{}
	for range portSets * 3 {
		seen[fmt.Sprint(p.deploy("one", 2))]++
	}
	if len(seen) != portSets {
		t.Errorf("got %v, want each of %d sets three times", seen, portSets)
	}
	// Old containers are busy, one port each: their sets are passed over.
	busy := []int{book[0], book[3], book[4]}
	for range portSets * 3 {
		got := p.deploy("one", 2, busy...)
		if at := slices.Index(book, min(got[0], got[1])); slices.Index(book, got[0])/2 != slices.Index(book, got[1])/2 || at < 0 {
			t.Errorf("got %v of %v while %v are busy: want a whole set of the book", got, book, busy)
		}
	}
	if got := p.book("one"); !slices.Equal(got, book) {
		t.Errorf("got %v, want no change of %v", got, book)
	}
	// When all are, there is another.
	if got := p.deploy("one", 2, book...); slices.Contains(book, got[0]) || slices.Contains(book, got[1]) {
		t.Errorf("got %v while all of %v are busy", got, book)
	}
	if err := forgetPorts(p.s, "one"); err != nil {
		t.Fatal(err)
	}
	if got := p.book("one"); len(got) != 0 {
		t.Errorf("got %v after the app's end", got)
	}
	for _, name := range []string{"", "..", "../one"} {
		if err := forgetPorts(p.s, name); err == nil {
			t.Errorf("forgetPorts(%q): got no error", name)
		}
	}
}

// TestPortsInUseAreKept scales an app far up and down: its book never loses a port that a container has, whatever
// other processes write into the book, and becomes small again.
func TestPortsInUseAreKept(t *testing.T) {
	t.Parallel()
	p := newPorts(t)
	var busy []int
	for i, size := range []int{1, 20, 20, 3, 40, 1, 1} {
		// A process that opened the book before must not write what it had read.
		early, err := openPorts(p.s, "wide", size, p.serving["wide"], busy)
		if err != nil {
			t.Fatal(err)
		}
		old := p.serving["wide"]
		got := p.deploy("wide", size, busy...)
		busy = slices.Concat(old, got)
		early.busy = map[int]bool{}
		for _, port := range busy {
			early.busy[port] = true
		}
		if err := early.add(t.Context(), "127.0.0.1", 1, 1); err != nil {
			t.Fatal(err)
		}
		if err := early.trim(t.Context()); err != nil {
			t.Fatal(err)
		}
		book := p.book("wide")
		for _, port := range busy {
			if !slices.Contains(book, port) {
				t.Errorf("deploy %d: port %d is in use and not in the book %v", i, port, book)
			}
		}
		if slices.Sort(book); len(slices.Compact(slices.Clone(book))) != len(book) {
			t.Errorf("deploy %d: a port twice in %v", i, book)
		}
	}
	b, err := openPorts(p.s, "wide", 1, p.serving["wide"], nil)
	if err == nil {
		err = b.trim(t.Context())
	}
	if got := p.book("wide"); err != nil || len(got) != portSets || !slices.Contains(got, p.serving["wide"][0]) {
		t.Errorf("got %v, %v, want %d ports and %v among them", got, err, portSets, p.serving["wide"])
	}
}

// TestPortsTaken has a program of somebody else listen on a port of the book: its set is passed over.
func TestPortsTaken(t *testing.T) {
	t.Parallel()
	p := newPorts(t)
	first := p.deploy("one", 2)
	second := p.deploy("one", 2)
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", first[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	third := p.deploy("one", 2)
	if slices.ContainsFunc(third, func(port int) bool { return slices.Contains(slices.Concat(first, second), port) }) {
		t.Errorf("got %v after %v and %v, want other ports", third, first, second)
	}
}

// TestPortsScarce has others own more than half of all ports: an app gets what it needs and no more.
func TestPortsScarce(t *testing.T) {
	t.Parallel()
	p := newPorts(t)
	others := &portBook{file: portDir(p.s) + "/others"}
	for port := firstPort; port <= lastPort; port++ {
		others.ports = append(others.ports, port)
	}
	others.ports = others.ports[:len(others.ports)-4]
	unlock, err := app.LockPath(t.Context(), portDir(p.s)+"/.lock")
	if err != nil {
		t.Fatal(err)
	}
	err = others.write()
	unlock()
	if err != nil {
		t.Fatal(err)
	}
	p.deploy("one", 1)
	b, err := openPorts(p.s, "one", 1, p.serving["one"], nil)
	if err == nil {
		err = b.add(t.Context(), "127.0.0.1", portSets-1, 1)
	}
	if err != nil || len(b.ports) != 2 {
		t.Errorf("got %v, %v, want one more", b.ports, err)
	}
	if err := b.add(t.Context(), "127.0.0.1", 3, 3); err == nil {
		t.Error("three of two ports: got no error")
	}
	if got := p.book("one"); len(got) != 2 {
		t.Errorf("got %v after a failure, want what was there", got)
	}
}
