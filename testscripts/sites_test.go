package testscripts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// sites are many deployed apps of one platform. Each answers with its name.
type sites struct {
	*platform
	apps []*pusher
}

// TestManySites deploys apps and changes, breaks and destroys them: names of all are changed at the same time by few
// reloads, each of many and long names answers, what one app has broken fails its deploy and nothing else, and when all
// are gone nothing is left. DOKKU_TEST_FULL makes it 100 apps with 2,000 names.
func TestManySites(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	n, names, most := 4, 80, 50
	full := os.Getenv("DOKKU_TEST_FULL") != ""
	if full {
		n, names, most = 100, 2000, 500
	}
	s := &sites{platform: newPlatform(t)}
	for i := range n {
		s.apps = append(s.apps, newPusher(t, s.platform, fmt.Sprintf("site%d", i), ""))
	}
	began := time.Now()
	s.each(t, 6, func(g *pusher) error {
		g.commit(t, g.name)
		out, err := g.push()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
		return err
	})
	t.Logf("%d apps deployed in %s", n, time.Since(began).Round(time.Second))
	for _, part := range []struct {
		name string
		f    func(t *testing.T)
	}{
		{"storm", func(t *testing.T) { s.storm(t, full) }},
		{"names", func(t *testing.T) { s.names(t, names, most) }},
		{"broken", s.broken},
		{"logs", s.logs},
	} {
		if !t.Run(part.name, part.f) {
			return
		}
	}
}

// each does something about all apps, so many at a time.
func (s *sites) each(t *testing.T, atOnce int, f func(g *pusher) error) {
	t.Helper()
	slots, wg := make(chan struct{}, atOnce), sync.WaitGroup{}
	for _, g := range s.apps {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if err := f(g); err != nil {
				t.Errorf("%s: %v", g.name, err)
			}
		})
	}
	wg.Wait()
}

func (s *sites) dokku(words ...string) error {
	return s.run(nil, append([]string{s.bin + "/dokku"}, words...)...)
}

// answers tells whether the host is served by the app.
func (s *sites) answers(c *http.Client, host, name string) error {
	req, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/", s.httpPort), nil)
	if err != nil {
		return err
	}
	req.Host = host
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil || resp.StatusCode != 200 || body.String() != name {
		return fmt.Errorf("%.80s: status %s, %.80q, %v: want %q", host, resp.Status, body.String(), err, name)
	}
	return nil
}

// reloads is how often dokku has reloaded nginx.
func (s *sites) reloads(t *testing.T) int {
	t.Helper()
	return s.number(t, s.lib+"/data/nginx-vhosts/reloads")
}

// nginx is the process that reads the configuration.
func (s *sites) nginx(t *testing.T) int { return s.number(t, s.dir+"/nginx/pid") }

func (s *sites) number(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *sites) workers(t *testing.T) int {
	t.Helper()
	out, err := exec.Command("ps", "--ppid", strconv.Itoa(s.nginx(t)), "-o", "args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(out, []byte("worker process"))
}

// storm gives all apps another name at the same time, while websockets keep workers of before from ending.
func (s *sites) storm(t *testing.T, wait bool) {
	before, workers := s.reloads(t), s.workers(t)
	release := s.hold(t, 20)
	defer release()
	s.each(t, len(s.apps), func(g *pusher) error { return s.dokku("domains:add", g.name, g.name+".storm.test") })
	missing := 0
	for _, g := range s.apps {
		if err := s.answers(client(false), g.name+".storm.test", g.name); err != nil {
			missing++
			t.Error(err)
		}
	}
	reloads, busiest := s.reloads(t)-before, s.workers(t)
	if reloads > len(s.apps) || wait && reloads > len(s.apps)/2 {
		t.Errorf("got %d reloads by %d changes", reloads, len(s.apps))
	}
	if wait {
		time.Sleep(65 * time.Second)
	} else {
		release()
		eventually(t, func() error {
			if n := s.workers(t); n > 2*workers {
				return fmt.Errorf("%d workers", n)
			}
			return nil
		})
	}
	left := s.workers(t)
	if left > 2*workers {
		t.Errorf("got %d workers of %d a while after the last reload", left, workers)
	}
	t.Logf("%d changes at once: %d reloads, %d names missing; %d workers of nginx before, %d then, %d at the end", len(s.apps), reloads, missing, workers, busiest, left)
}

// hold opens websockets and leaves them open. nginx ends them with its old workers.
func (s *sites) hold(t *testing.T, n int) (release func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	var wg sync.WaitGroup
	for i := range n {
		g := s.apps[i%len(s.apps)]
		conn, _, err := websocket.Dial(ctx, fmt.Sprintf("ws://127.0.0.1:%d/echo", s.httpPort), &websocket.DialOptions{Host: g.name + ".localhost"})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer conn.CloseNow()
			for ctx.Err() == nil && conn.Write(ctx, websocket.MessageText, []byte("x")) == nil {
				if _, _, err := conn.Read(ctx); err != nil {
					return
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
}

// names gives one app the most names, the longest that there can be among them, and the rest to the others.
func (s *sites) names(t *testing.T, total, most int) {
	x, y := strings.Repeat("x", 63), strings.Repeat("y", 61)
	given := map[string][]string{s.apps[0].name: {x + ".test", strings.Join([]string{x, x, x, y}, ".")}}
	for i := 2; i < total; i++ {
		g := s.apps[0]
		if i >= most {
			g = s.apps[1+i%(len(s.apps)-1)]
		}
		given[g.name] = append(given[g.name], fmt.Sprintf("%s.%d.names.test", strings.Repeat("n", 1+i%63), i))
	}
	began := time.Now()
	s.each(t, 6, func(g *pusher) error { return s.dokku(append([]string{"domains:add", g.name}, given[g.name]...)...) })
	took := time.Since(began)
	if err := s.dokku("nginx:validate-config"); err != nil {
		t.Error(err)
	}
	c, good := client(true), 0
	for name, hosts := range given {
		for _, host := range hosts {
			if err := s.answers(c, host, name); err != nil {
				t.Error(err)
			} else {
				good++
			}
		}
	}
	t.Logf("%d of %d names answer, %d of one app; they were added in %s", good, total, most, took.Round(time.Second))
}

// broken has a plugin, and then a file of the app, make what nginx refuses.
func (s *sites) broken(t *testing.T) {
	g := s.apps[len(s.apps)/2]
	work := filepath.Join(s.dir, "work", "custom")
	hook := filepath.Join(work, "plugins/custom/nginx-pre-reload")
	script := "#!/bin/sh\n[ \"$1\" != " + g.name + " ] || sed -i 's/^  server_name .*/&\\n  no_such_directive \"of a template\";/' \"$DOKKU_ROOT/$1/nginx.conf\"\n"
	if err := errors.Join(os.MkdirAll(filepath.Dir(hook), 0o755), os.WriteFile(hook, []byte(script), 0o755)); err != nil {
		t.Fatal(err)
	}
	plugins, err := s.plugins(work)
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(s.root, g.name, "nginx.conf")
	before, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	asked, stop := s.askOthers(t, g)
	refused := func(g *pusher, want string) {
		g.commit(t, "another version")
		if out, err := g.push(); err == nil || !strings.Contains(out, want) {
			t.Errorf("the deploy: got %v, want one that fails because of %s\n%s", err, want, out)
		}
		if after, err := os.ReadFile(conf); err != nil || !bytes.Equal(before, after) {
			t.Errorf("nginx.conf: got %v, %s\nwant what was there:\n%s", err, after, before)
		}
		if err := s.answers(client(false), g.name+".localhost", g.name); err != nil {
			t.Error(err)
		}
	}
	refused(newPusher(t, s.platform, g.name, plugins), `unknown directive "no_such_directive" in `+conf+":")
	reloads := s.reloads(t)
	if err := errors.Join(s.dokku("domains:add", s.apps[0].name, "after.template.test"), s.answers(client(false), "after.template.test", s.apps[0].name)); err != nil || s.reloads(t) == reloads {
		t.Errorf("another app's change: got %v, %d reloads", err, s.reloads(t)-reloads)
	}
	own := s.include(t, g, "own.conf", "# of the app\nno_such_directive on;\n")
	refused(g, `unknown directive "no_such_directive" in `+own+":2")
	if err := errors.Join(s.dokku("domains:add", s.apps[0].name, "after.file.test"), s.answers(client(false), "after.file.test", s.apps[0].name)); err != nil {
		t.Errorf("another app's change: got %v", err)
	}
	stop()
	s.restartNginx(t)
	for _, other := range s.apps {
		if err := s.answers(client(false), other.name+".localhost", other.name); err != nil && other != g {
			t.Errorf("after a restart of nginx: %v", err)
		}
	}
	t.Logf("one app of %d was broken twice: %d requests to the others, %d failed", len(s.apps), asked.total.Load(), asked.failed.Load())
	if asked.failed.Load() > 0 {
		t.Errorf("a request that failed: %v", asked.first.Load())
	}
	if err := errors.Join(os.Remove(own), s.dokku("nginx:build-config", g.name), s.answers(client(false), g.name+".localhost", g.name)); err != nil {
		t.Errorf("mended: got %v", err)
	}
}

// include writes a file that nginx includes in the app's server.
func (s *sites) include(t *testing.T, g *pusher, name, text string) (file string) {
	t.Helper()
	dir := filepath.Join(s.root, g.name, "nginx.conf.d")
	file = filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(file, []byte(text), 0o644), s.run(nil, "chown", "-R", s.user+":"+s.user, dir)); err != nil {
		t.Fatal(err)
	}
	return file
}

// asked counts requests.
type asked struct {
	total, failed atomic.Int64
	first         atomic.Value
}

// askOthers asks all apps but one, again and again, each time over a new connection, until it is stopped.
func (s *sites) askOthers(t *testing.T, but *pusher) (*asked, func()) {
	a, done := &asked{}, make(chan struct{})
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			for c, n := client(false), i; ; n++ {
				select {
				case <-done:
					return
				case <-time.After(5 * time.Millisecond):
				}
				g := s.apps[n%len(s.apps)]
				if g == but {
					continue
				}
				a.total.Add(1)
				if err := s.answers(c, g.name+".localhost", g.name); err != nil {
					a.failed.Add(1)
					a.first.CompareAndSwap(nil, err.Error())
				}
			}
		})
	}
	stop := sync.OnceFunc(func() {
		close(done)
		wg.Wait()
	})
	t.Cleanup(stop)
	return a, stop
}

// restartNginx ends nginx and starts it, as systemd does.
func (s *sites) restartNginx(t *testing.T) {
	t.Helper()
	pid := s.nginx(t)
	for i, cmd := range s.processes {
		if cmd.Process.Pid == pid {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
			s.processes = append(s.processes[:i], s.processes[i+1:]...)
			break
		}
	}
	if err := errors.Join(s.dokku("nginx:validate-config", "--clean"), s.runNginx()); err != nil {
		t.Fatal(err)
	}
}

// logs has one app log into its directory, rotates that, and destroys all apps.
func (s *sites) logs(t *testing.T) {
	g := s.apps[0]
	log := filepath.Join(s.root, g.name, "access.log")
	s.include(t, g, "log.conf", "access_log "+log+";\n")
	if err := s.dokku("nginx:build-config", g.name); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := errors.Join(s.answers(client(false), g.name+".localhost", g.name), os.Rename(log, log+".1"),
			s.dokku("nginx:validate-config"), syscall.Kill(s.nginx(t), syscall.SIGUSR1))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error { // until nginx has opened it
			if err := s.answers(client(false), g.name+".localhost", g.name); err != nil {
				return err
			}
			st, err := os.Stat(log)
			if err == nil && st.Size() == 0 {
				err = errors.New("nothing is logged")
			}
			return err
		})
	}
	s.ownedByRoot(t)
	s.each(t, 6, func(g *pusher) error { return s.dokku("apps:destroy", "--force", g.name) })
	s.ownedByRoot(t)
	out, err := s.command(nil, "find", s.root, s.lib+"/data", s.lib+"/config", "-path", "*/nginx-vhosts/names", "-prune", "-o", "-name", "site[0-9]*", "-print").Output()
	if err != nil || len(out) > 0 {
		t.Errorf("left of apps that are gone: %v\n%.500s", err, out)
	}
	t.Logf("%d apps were destroyed, and left %d files", len(s.apps), bytes.Count(out, []byte("\n")))
}

// ownedByRoot looks for what commands that root calls make under its own name; only stack:create is for root alone.
func (s *sites) ownedByRoot(t *testing.T) {
	t.Helper()
	out, err := s.command(nil, "find", s.root, s.lib+"/data", s.lib+"/config", "-user", "root", "!", "-path", "*/data/stack*").Output()
	if err != nil || len(out) > 0 {
		t.Errorf("files of root's: %v\n%.500s", err, out)
	}
}
