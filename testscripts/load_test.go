package testscripts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// client returns an HTTP client with or without kept-alive connections.
func client(keepAlive bool) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: !keepAlive, Proxy: nil,
		DialContext: (&net.Dialer{}).DialContext}}
}

// asker asks for an app at a steady rate and notes every answer.
type asker struct {
	method    string
	keepAlive bool
	answers   []string // a change of version each
	total     atomic.Int64
	errors    []error
}

func (a *asker) run(g *pusher, every time.Duration, stop <-chan struct{}) {
	c := client(a.keepAlive)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		body, err := g.ask(c, a.method)
		a.total.Add(1)
		if err != nil {
			a.errors = append(a.errors, err)
			continue
		}
		if n := len(a.answers); n == 0 || a.answers[n-1] != body {
			a.answers = append(a.answers, body)
		}
	}
}

// startAskers starts clients of all four kinds, each asking so often; the function that is returned ends them and
// waits.
func (g *pusher) startAskers(each int, every time.Duration) (askers []*asker, end func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, method := range []string{"GET", "POST"} {
		for _, keepAlive := range []bool{true, false} {
			for range each {
				a := &asker{method: method, keepAlive: keepAlive}
				askers = append(askers, a)
				wg.Go(func() { a.run(g, every, stop) })
			}
		}
	}
	return askers, sync.OnceFunc(func() {
		close(stop)
		wg.Wait()
	})
}

// long are the clients that stay: websockets, and one that downloads again and again. No version may end them before the
// drain, the time that old containers are promised, has passed since they came.
type long struct {
	g     *pusher
	drain time.Duration
	stop  chan struct{}

	mu                         sync.Mutex
	sockets, echoes, downloads int
	slowest                    time.Duration // of the downloads
	errors                     []error
}

// startLong starts so many websockets, and the downloads, which take so many seconds each.
func (g *pusher) startLong(sockets int, drain time.Duration, seconds int) (l *long, end func()) {
	l = &long{g: g, drain: drain, stop: make(chan struct{})}
	var wg sync.WaitGroup
	for i := range sockets {
		wg.Go(func() { l.again(func() error { return l.socket(i%2 == 0) }) })
	}
	wg.Go(func() { l.again(func() error { return l.download(seconds) }) })
	return l, sync.OnceFunc(func() {
		close(l.stop)
		wg.Wait()
	})
}

func (l *long) again(f func() error) {
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		if err := f(); err != nil {
			l.mu.Lock()
			l.errors = append(l.errors, err)
			l.mu.Unlock()
		}
	}
}

// socket opens a websocket and talks to one version until it is closed. It goes by itself before a drain has passed, or
// stays until it is shown out, which may not be earlier.
func (l *long) socket(goes bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	life := time.Minute
	if goes {
		life = time.Duration(rand.Int64N(int64(l.drain * 9 / 10)))
	}
	conn, _, err := websocket.Dial(ctx, fmt.Sprintf("ws://127.0.0.1:%d/echo", l.g.p.httpPort), &websocket.DialOptions{Host: l.g.name + ".localhost"})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	l.mu.Lock()
	l.sockets++
	l.mu.Unlock()
	version := ""
	for began, n := time.Now(), 0; time.Since(began) < life; n++ {
		word := fmt.Sprint("word ", n)
		err := conn.Write(ctx, websocket.MessageText, []byte(word))
		var answer []byte
		if err == nil {
			_, answer, err = conn.Read(ctx)
		}
		if age := time.Since(began); err != nil {
			if !goes && age >= l.drain {
				return nil // shown out
			}
			return fmt.Errorf("a websocket of %q ended after %s: %w", version, age.Round(time.Millisecond), err)
		}
		said, echo, _ := strings.Cut(string(answer), ": ")
		if echo != word || n > 0 && said != version {
			return fmt.Errorf("a websocket of %q got %q for %q", version, answer, word)
		}
		version = said
		l.mu.Lock()
		l.echoes++
		l.mu.Unlock()
		select {
		case <-l.stop:
			return conn.Close(websocket.StatusNormalClosure, "")
		case <-time.After(100 * time.Millisecond):
		}
	}
	return conn.Close(websocket.StatusNormalClosure, "")
}

func (l *long) download(seconds int) error {
	began := time.Now()
	req, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/download?seconds=%d", l.g.p.httpPort, seconds), nil)
	if err != nil {
		return err
	}
	req.Host = l.g.name + ".localhost"
	c := client(false)
	c.Timeout = 0
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != 200 || n != int64(seconds)*100_000 {
		return fmt.Errorf("a download: got %d bytes, status %s, %v", n, resp.Status, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.downloads, l.slowest = l.downloads+1, max(l.slowest, time.Since(began))
	return nil
}

// load is what TestPushesUnderLoad does how often.
type load struct {
	pushes, each, requests int
	drain                  time.Duration
	download               int // seconds of one
}

// TestPushesUnderLoad pushes version after version while clients get and post, with kept-alive connections and without,
// hold 20 websockets open and download: no request fails, each client sees the old version, then the new one, once per
// push, what takes long ends in its time, and nginx is not reloaded after the first. DOKKU_TEST_FULL makes it 50 pushes,
// more than 100,000 requests and downloads of 10 s.
func TestPushesUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	do := load{pushes: 6, each: 1, drain: 4 * time.Second, download: 3}
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		do = load{pushes: 50, each: 4, requests: 140_000, drain: 11 * time.Second, download: 10}
	}
	p := newPlatform(t)
	if err := appendFile(p.root+"/dokkurc", fmt.Sprintf("export DOKKU_WAIT_TO_RETIRE=%d\n", int(do.drain.Seconds()))); err != nil {
		t.Fatal(err)
	}
	g := newPusher(t, p, "load", "")
	want := []string{"version 0"}
	g.commit(t, want[0])
	if out, err := g.push(); err != nil {
		t.Fatalf("cannot push: %v\n%s", err, out)
	}
	begin := time.Now()
	askers, end := g.startAskers(do.each, 20*time.Millisecond)
	defer end()
	long, endLong := g.startLong(20, do.drain, do.download)
	defer endLong()
	total := func() (n int) {
		for _, a := range askers {
			n += int(a.total.Load())
		}
		return n
	}
	want = append(want, do.push(t, g, total)...)
	for long.count() == 0 { // one download is begun and ended
		time.Sleep(10 * time.Millisecond)
	}
	took := time.Since(begin)
	end()
	endLong()
	failed := 0
	for i, a := range askers {
		failed += len(a.errors)
		if len(a.errors) > 0 {
			t.Errorf("client %d (%s, kept alive: %v): %d of %d requests failed, first: %v", i, a.method, a.keepAlive, len(a.errors), a.total.Load(), a.errors[0])
		}
		if fmt.Sprint(a.answers) != fmt.Sprint(want) {
			t.Errorf("client %d saw %q, want each version once, in order", i, a.answers)
		}
	}
	if n := total(); n < do.requests {
		t.Errorf("%d requests, want %d", n, do.requests)
	}
	if len(long.errors) > 0 {
		t.Errorf("%d that took long failed: %v", len(long.errors), errors.Join(long.errors[:min(5, len(long.errors))]...))
	}
	t.Logf("%d requests in %s, %.0f in a second: %d failed", total(), took.Round(time.Millisecond), float64(total())/took.Seconds(), failed)
	t.Logf("%d websockets, 20 at a time, with %d messages, and %d downloads, the slowest in %s: %d failed", long.sockets, long.echoes,
		long.downloads, long.slowest.Round(time.Millisecond), len(long.errors))
}

// push pushes all versions and returns them.
func (do load) push(t *testing.T, g *pusher, total func() int) (versions []string) {
	var slowest time.Duration
	reloads := 0
	for i := range do.pushes {
		version := fmt.Sprint("version ", i+1)
		versions = append(versions, version)
		g.commit(t, version)
		start := time.Now()
		out, err := g.push()
		if err != nil {
			t.Errorf("cannot push %s: %v\n%s", version, err, out)
			break
		}
		slowest = max(slowest, time.Since(start))
		reloads += strings.Count(out, "Reloading nginx")
		if body, err := g.get(client(false)); err != nil || body != version {
			t.Errorf("after the push of %q: got %q, %v", version, body, err)
		}
		// The rest of the requests is spread over the deploys.
		for share := do.requests * (i + 1) / do.pushes; do.requests > 0 && total() < share; {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if reloads > 0 {
		t.Errorf("nginx was reloaded %d times after the first push", reloads)
	}
	t.Logf("%d pushes, slowest %s, %d reloads of nginx", do.pushes, slowest.Round(time.Millisecond), reloads)
	return versions
}

// count is how many downloads have ended.
func (l *long) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.downloads
}
