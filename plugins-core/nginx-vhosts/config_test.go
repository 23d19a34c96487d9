package nginxvhosts

import (
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
		s: settings.Settings{Env: []string{"DOKKU_NGINX_PORT=8080", "DOKKU_NGINX_SSL_PORT=8443"}}}
	g := groups{Blue: []string{"127.0.0.1:32768", "127.0.0.1:32769"}, Green: []string{"127.0.0.1:32770"}}
	names := []string{"foo.example.com", "*.bar.test"}
	for golden, cert := range map[string]*pair{
		"plain.conf": nil,
		"tls.conf":   {crt: "/home/dokku/tls/server.crt", key: "/home/dokku/tls/server.key"},
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
		contract(t, got)
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

// TestPlace makes deploys at random and follows them: after each, the group that answers has the new addresses, and
// until the switch the one that answered had the old ones.
func TestPlace(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		var g groups
		green := r.IntN(2) == 0 // a file that was left behind
		var serving []string
		var history []string
		for range 20 {
			var addresses []string
			for port := range 1 + r.IntN(3) {
				addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", 30000+r.IntN(3)*10+port))
			}
			history = append(history, fmt.Sprint(addresses))
			var reserved []string
			for port := range r.IntN(3) {
				reserved = append(reserved, fmt.Sprintf("127.0.0.1:%d", 31000+port))
			}
			next, toGreen := place(g, green, addresses, reserved)
			if got := active(next, toGreen); !slices.Equal(got, addresses) {
				t.Fatalf("after %v: got %v in service, want %v", history, got, addresses)
			}
			// nginx loads next before the file is touched.
			if got := active(next, green); serving != nil && !slices.Equal(got, serving) {
				t.Fatalf("after %v: got %v in service before the switch, want still %v", history, got, serving)
			}
			if len(next.Blue) == 0 || len(next.Green) == 0 {
				t.Fatalf("after %v: got an upstream without addresses, which nginx refuses: %v", history, next)
			}
			g, green, serving = next, toGreen, addresses
		}
	}
}

func active(g groups, green bool) []string {
	if green {
		return g.Green
	}
	return g.Blue
}

// TestPlaceAlternates deploys with two sets of ports in turn: after the first two nothing changes but the switch.
func TestPlaceAlternates(t *testing.T) {
	t.Parallel()
	ports := [][]string{{"127.0.0.1:1"}, {"127.0.0.1:2"}}
	g, green := place(groups{}, false, ports[0], nil)
	g, green = place(g, green, ports[1], nil)
	for i := range 10 {
		next, toGreen := place(g, green, ports[i%2], nil)
		if fmt.Sprint(next) != fmt.Sprint(g) || toGreen == green {
			t.Errorf("deploy %d: got %v, green %v after %v, green %v: want only the switch to change", i, next, toGreen, g, green)
		}
		green = toGreen
	}
	if next, same := place(g, green, active(g, green), nil); same != green || fmt.Sprint(next) != fmt.Sprint(g) {
		t.Errorf("the same again: got %v, %v, want no change", next, same)
	}
}

// TestPlaceReserved deploys with the addresses that were reserved: nothing but the switch changes from the second deploy
// on, until the scale does. Then each of the two sides changes once.
func TestPlaceReserved(t *testing.T) {
	t.Parallel()
	for _, green := range []bool{false, true} { // true: a file that was left behind
		one, two := []string{"127.0.0.1:1"}, []string{"127.0.0.1:2"}
		wide, wider := []string{"127.0.0.1:1", "127.0.0.1:3"}, []string{"127.0.0.1:2", "127.0.0.1:4"}
		g, on := place(groups{}, green, one, two)
		if got := active(g, green); !slices.Equal(got, one) {
			t.Errorf("green %v: got %v in service before the first switch, want %v", green, got, one)
		}
		changes := 0
		for i, addresses := range [][]string{two, one, two, wide, wider, wide, wider} {
			next, toGreen := place(g, on, addresses, []string{"127.0.0.1:9"})
			if toGreen == on || !slices.Equal(active(next, toGreen), addresses) {
				t.Errorf("deploy %d: got %v, green %v after green %v, want a switch to %v", i, next, toGreen, on, addresses)
			}
			if fmt.Sprint(next) != fmt.Sprint(g) {
				changes++
				if i < 3 {
					t.Errorf("deploy %d: got %v after %v, want the same text", i, next, g)
				}
			}
			g, on = next, toGreen
		}
		if changes != 2 {
			t.Errorf("green %v: got %d changes of the text, want 2 by the change of scale", green, changes)
		}
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

// TestGroupsFile writes the groups and reads them, and the switch with them.
func TestGroupsFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), t.TempDir(), "foo")
	if g, green, err := s.readGroups(); err != nil || green || len(g.Blue)+len(g.Green) != 0 {
		t.Errorf("none: got %v, %v, %v", g, green, err)
	}
	unlock, err := s.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	want := groups{Blue: []string{"a"}, Green: []string{"b", "c"}}
	if err := s.writeGroups(want); err != nil {
		t.Fatal(err)
	}
	write(t, s.switchFile(), "foo\n")
	if g, green, err := s.readGroups(); err != nil || !green || fmt.Sprint(g) != fmt.Sprint(want) {
		t.Errorf("got %v, %v, %v, want %v, green", g, green, err, want)
	}
	write(t, s.groupsFile(), "{")
	if _, _, err := s.readGroups(); err == nil {
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
