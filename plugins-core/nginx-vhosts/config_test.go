package nginxvhosts

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestText compares the configuration with golden files, with and without a certificate.
func TestText(t *testing.T) {
	t.Parallel()
	s := &site{app: app.App{Name: "foo.example.com", Root: "/home/dokku"},
		s: settings.Settings{Env: []string{"DOKKU_NGINX_PORT=8080", "DOKKU_NGINX_SSL_PORT=8443", "DOKKU_NGINX_LOG_ROOT=/nonexistent"}}}
	g := [][]string{{"127.0.0.1:32768", "127.0.0.1:32769"}, {"127.0.0.1:32770"}, {"127.0.0.1:32771"}, {"127.0.0.1:32772"}, {"127.0.0.1:32773"}}
	names := []string{"foo.example.com", "*.bar.test"}
	for golden, cert := range map[string]*pair{
		"plain.conf": nil,
		"tls.conf":   {crt: "/home/dokku/tls/server.crt", key: "/home/dokku/tls/server.key", names: names},
		"mixed.conf": {crt: "/home/dokku/tls/server.crt", key: "/home/dokku/tls/server.key", names: names[:1]},
	} {
		at, err := s.ports(cert)
		if err != nil {
			t.Fatal(err)
		}
		got := s.text(g, names, cert, at)
		file := filepath.Join("testdata", golden)
		// Not every kernel has the family of addresses; the golden files have it.
		if !hasIPv6() {
			got = regexp.MustCompile(`(?m)^(  listen )(\d+.*)$`).ReplaceAllString(got, "$1[::]:$2\n$1$2")
		}
		if *update {
			write(t, file, got)
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s (%v): got\n%s\nwant\n%s", golden, err, got, want)
		}
		if golden != "mixed.conf" { // which has two servers that answer
			contract(t, got)
		}
	}
}

// contract looks for the lines that plugins edit, each of which stands alone.
func contract(t *testing.T, text string) {
	t.Helper()
	for pattern, count := range map[string]int{
		`upstream foo\.example\.com \{`:                                    1,
		`server_name foo\.example\.com \*\.bar\.test;`:                     0, // one for each server
		` +proxy_pass http://\$dokku_upstream;`:                            1,
		` +proxy_set_header X-Forwarded-Proto \$scheme;`:                   1,
		` +proxy_set_header X-Forwarded-For \$remote_addr;`:                1,
		` +proxy_set_header X-Forwarded-Port \$server_port;`:               1,
		` +include /home/dokku/foo\.example\.com/nginx\.conf\.d/\*\.conf;`: 1,
	} {
		found := regexp.MustCompile(`(?m)^ *`+pattern+`$`).FindAllString(text, -1)
		if len(found) == 0 || count > 0 && len(found) != count {
			t.Errorf("got %d lines like %q, want %d", len(found), pattern, count)
		}
	}
	if !strings.HasSuffix(text, "\n}\n") {
		t.Errorf("the last brace is not the server's: %q", text[max(0, len(text)-20):])
	}
	if open, shut := strings.Count(text, "{"), strings.Count(text, "}"); open != shut {
		t.Errorf("got %d braces opened and %d closed", open, shut)
	}
}

// TestPlace makes deploys at random and follows them: after each, the side that answers has the new addresses, and until
// the switch the one that answered had the old ones.
func TestPlace(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		var sides [][]string
		now := r.IntN(maxSides) // by files that were left behind
		var serving []string
		var history []string
		for range 20 {
			var addresses []string
			for port := range 1 + r.IntN(3) {
				addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", 30000+r.IntN(5)*10+port))
			}
			history = append(history, fmt.Sprint(addresses))
			var reserved [][]string
			for port := range r.IntN(12) {
				reserved = append(reserved, []string{fmt.Sprintf("127.0.0.1:%d", 31000+port+r.IntN(3))})
			}
			next, to := place(sides, now, addresses, reserved)
			if to < 0 || to >= len(next) || len(next) > maxSides || !slices.Equal(next[to], addresses) {
				t.Fatalf("after %v: got side %d of %v in service, want %v", history, to, next, addresses)
			}
			// nginx loads next before the files are touched.
			if serving != nil && !slices.Equal(next[now], serving) {
				t.Fatalf("after %v: got %v in service before the switch, want still %v", history, next[now], serving)
			}
			if slices.ContainsFunc(next, func(side []string) bool { return len(side) == 0 }) {
				t.Fatalf("after %v: got an upstream without addresses, which nginx refuses: %v", history, next)
			}
			sides, now, serving = next, to, addresses
		}
	}
}

// TestPlaceReserved deploys with the addresses that were reserved: nothing but the side changes from the second deploy
// on, in whatever order they are used. A change of scale changes the text once.
func TestPlaceReserved(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	set := func(from, count int) (out []string) {
		for i := range count {
			out = append(out, fmt.Sprintf("127.0.0.1:%d", 20000+from*count+i))
		}
		return out
	}
	for left := range maxSides { // the side that files which were left behind name
		var sides [][]string
		now, at := left, 0
		for scale := 1; scale <= 3; scale++ {
			for i := range 30 {
				reserved := [][]string{}
				for n := range 7 {
					if n != at {
						reserved = append(reserved, set(n, scale))
					}
				}
				if slices.ContainsFunc(sides, func(side []string) bool { return slices.Equal(side, set(at, scale)) }) {
					reserved = nil // they are not asked for
				}
				next, to := place(sides, now, set(at, scale), reserved)
				if i > 0 && fmt.Sprint(next) != fmt.Sprint(sides) {
					t.Fatalf("scale %d, deploy %d: got %v after %v, want the same text", scale, i, next, sides)
				}
				sides, now = next, to
				for was := at; was == at; {
					at = r.IntN(7)
				}
			}
		}
	}
}

// TestFlip goes from any side to any other: the files name the old one until one moment, and from it on the new one.
func TestFlip(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), t.TempDir(), "foo")
	unlock, err := s.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	r := rand.New(rand.NewPCG(7, 8))
	for now := 0; ; {
		to := r.IntN(maxSides)
		var moves []int
		stop := make(chan struct{})
		done := make(chan []int)
		go func() {
			for last := now; ; {
				select {
				case <-stop:
					done <- moves
					return
				default:
				}
				if side := s.side(); side != last {
					last = side
					moves = append(moves, side)
				}
			}
		}()
		err := s.flip(to)
		close(stop)
		if moves := <-done; err != nil || s.side() != to || len(moves) > 1 || len(moves) == 1 && moves[0] != to {
			t.Fatalf("from side %d to %d: saw %v, ended at %d, %v", now, to, moves, s.side(), err)
		}
		if now = to; r.IntN(200) == 0 {
			break
		}
	}
	if err := s.removeSwitches(); err != nil || s.side() != 0 {
		t.Errorf("got side %d after all switch files were removed, %v", s.side(), err)
	}
}

func TestValidAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:65535": true, "": false, "127.0.0.1": false, "127.0.0.1:0": false,
		"127.0.0.1:65536": false, "127.0.0.1:+1": false, "127.0.0.1:01": false, "host:1": false, "127.0.0.1:1;": false, "127.0.0.1:1 x": false, "unix:/x": false} {
		if got := validAddress(address); got != want {
			t.Errorf("%q: got %v, want %v", address, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), t.TempDir(), "foo")
	for file, text := range map[string]string{"PORT": "1", "PORT.web.1": "30002\n", "PORT.web.2": "30001\n", "PORT.web.3": "", "PORT.worker.1": "9", "CONTAINER.web.1": "x"} {
		write(t, s.app.Path(file), text)
	}
	if got, want := s.addresses(), []string{"127.0.0.1:30001", "127.0.0.1:30002"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestSidesFile writes the sides and reads them, and the switch with them.
func TestSidesFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), t.TempDir(), "foo")
	if sides, now, older, err := s.readSides(); err != nil || now != 0 || older || len(sides) != 0 {
		t.Errorf("none: got %v, %v, %v, %v", sides, now, older, err)
	}
	unlock, err := s.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	want := [][]string{{"a"}, {"b", "c"}, {"d"}}
	if err := errors.Join(s.writeSides(want), s.flip(2)); err != nil {
		t.Fatal(err)
	}
	if sides, now, older, err := s.readSides(); err != nil || now != 2 || older || fmt.Sprint(sides) != fmt.Sprint(want) {
		t.Errorf("got %v, %v, %v, %v, want %v, 2", sides, now, older, err, want)
	}
	write(t, s.groupsFile(), `{"blue":["a"],"green":["b","c"]}`)
	if sides, _, older, err := s.readSides(); err != nil || !older || fmt.Sprint(sides) != fmt.Sprint(want[:2]) {
		t.Errorf("of the time of two sides: got %v, %v, %v, want %v", sides, older, err, want[:2])
	}
	write(t, s.groupsFile(), "{")
	if _, _, _, err := s.readSides(); err == nil {
		t.Error("a broken file: got no error")
	}
}

func TestHandedOver(t *testing.T) {
	t.Parallel()
	workers := func(words string) map[int]bool {
		out := map[int]bool{}
		for _, word := range strings.Fields(words) {
			pid, accepts := 0, !strings.HasSuffix(word, "!") // "!": shutting down
			if _, err := fmt.Sscan(strings.TrimSuffix(word, "!"), &pid); err != nil {
				t.Fatal(err)
			}
			out[pid] = accepts
		}
		return out
	}
	for _, c := range []struct {
		old, now string
		want     bool
	}{
		{"1 2", "1 2", false},
		{"1 2", "1 2 3 4", false},
		{"1 2", "1! 2 3 4", false},
		{"1 2", "1! 2! 3 4", true},
		{"1 2", "3 4", true},
		{"1 2", "1! 2!", false},
		{"1 2", "", false},
		{"1 2", "2! 3!", false},
		{"1! 2", "1! 2! 3", true},
		{"", "1", true},
		{"", "", false},
	} {
		if got := handedOver(workers(c.old), workers(c.now)); got != c.want {
			t.Errorf("from %q to %q: got %v, want %v", c.old, c.now, got, c.want)
		}
	}
}
