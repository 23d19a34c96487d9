package shim

import (
	"slices"
	"strings"
	"testing"
)

func TestParseRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words, want       string
		feeds, tty, isOld bool
	}{
		{"-i -a stdin img sh -c x", "-i=true -a stdin img sh -c x", true, false, false},
		{"-i --attach=stdin img", "-i=true --attach=stdin img", true, false, false},
		{"-ia stdin img", "-i=true -a stdin img", true, false, false},
		{"-iastdin img", "-i=true -a stdin img", true, false, false},
		{"-a=STDIN -i -v /a:/b img cat", "-a STDIN -i=true -v /a:/b img cat", true, false, false},
		{"-i -a stdin -a stdout img", "-i=true -a stdin -a stdout img", false, false, false},
		{"-a stdin img", "-a stdin img", false, false, false},
		{"-d -i -a stdin img", "-d=true -i=true -a stdin img", false, false, false},
		{"img -i -a stdin", "img -i -a stdin", false, false, false},
		{"-e A -i img", "-e A -i=true img", false, false, false},
		{"-it img", "-i=true -t=true img", false, true, false},
		{"-t img", "-t=true img", false, false, false},
		{"-itd img", "-i=true -t=true -d=true img", false, false, false},
		{"-i --tty=false img", "-i=true --tty=false img", false, false, false},
		{"--rm -i -t -- img", "--rm=true -i=true -t=true img", false, true, false},
		{"-name=x -d img", "--name=x -d=true img", false, false, true},
		{"-name x -rm -link a:b img", "--name=x --rm=true --link=a:b img", false, false, true},
		{"-p 80:80 -P img", "-p 80:80 -P=true img", false, false, false},
		{"-v /var/lib/docker/vfs/dir/0ab:/data -d img", "-v 0ab:/data -d=true img", false, false, true},
		{"-v /var/lib/docker/vfs/dir/../x:/data img", "-v /var/lib/docker/vfs/dir/../x:/data img", false, false, false},
		{"-l a=b img", "-l a=b img", false, false, false},
	} {
		r, ok := parseRun(strings.Fields(c.words))
		if !ok {
			t.Errorf("%q: not understood", c.words)
			continue
		}
		if got := strings.Join(r.words(nil), " "); got != c.want || r.feeds() != c.feeds || r.wantsTerminal() != c.tty || r.old != c.isOld {
			t.Errorf("%q: got %q, feeds %v, terminal %v, old %v, want %q, %v, %v, %v",
				c.words, got, r.feeds(), r.wantsTerminal(), r.old, c.want, c.feeds, c.tty, c.isOld)
		}
	}
	for _, words := range []string{"-a", "--name", "-i=x img"} {
		if _, ok := parseRun(strings.Fields(words)); ok {
			t.Errorf("%q: understood", words)
		}
	}
}

// FuzzParseRun looks for calls that change when they are read and written twice.
func FuzzParseRun(f *testing.F) {
	for _, text := range []string{"-i\x00-a\x00stdin\x00img", "-itd\x00img", "-e=A=b\x00img\x00-x", "--\x00img", "-name=x\x00img", "-\x00", "-ia", "-v\x00\x00x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := parseRun(strings.Split(text, "\x00"))
		if !ok {
			return
		}
		words := r.words(nil)
		again, ok := parseRun(words)
		// What stood behind -- may look like an option.
		if len(r.rest) > 0 && strings.HasPrefix(r.rest[0], "-") && r.rest[0] != "-" {
			return
		}
		if !ok || !slices.Equal(again.words(nil), words) {
			t.Errorf("%q: got %q, then %v", text, words, again)
		}
	})
}

func TestHasOption(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]bool{"ps": false, "ps -a": false, "ps -q": true, "ps -aq": true, "ps --format x": true,
		"ps --format=x": true, "ps --no-trunc": false, "ps --quiet": true} {
		if got := hasOption(strings.Fields(words)[1:], "--format", "-q", "--quiet"); got != want {
			t.Errorf("%q: got %v, want %v", words, got, want)
		}
	}
}

func TestWithLatest(t *testing.T) {
	t.Parallel()
	in := `CONTAINER ID   IMAGE           COMMAND       STATUS
0123456789ab   dokku/app       "/start web"  Up
0123456789ac   dokku/app:v2    "/start web"  Up
0123456789ad   abcdef012345    "sh"          Up
0123456789ae   h:5000/pg       "sh"          Up
`
	want := `CONTAINER ID   IMAGE                  COMMAND       STATUS
0123456789ab   dokku/app:latest       "/start web"  Up
0123456789ac   dokku/app:v2           "/start web"  Up
0123456789ad   abcdef012345           "sh"          Up
0123456789ae   h:5000/pg:latest       "sh"          Up
`
	if got := withLatest(in); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, same := range []string{"", "no table\n", "COMMAND IMAGE\n"} {
		if got := withLatest(same); got != same {
			t.Errorf("%q: got %q", same, got)
		}
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0.0.0.0:49153\n[::]:49153\n":                         "0.0.0.0:49153\n",
		"5000/tcp -> 0.0.0.0:49153\n5000/tcp -> [::]:49153\n": "5000/tcp -> 0.0.0.0:49153\n",
		"5000/tcp -> 0.0.0.0:49153\n5000/tcp -> :::49153\n":   "5000/tcp -> 0.0.0.0:49153\n",
		"[::]:49153\n":     "[::]:49153\n",
		"127.0.0.1:8000\n": "127.0.0.1:8000\n",
		"":                 "",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestOneAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, network, want string }{{"172.17.0.2", "172.17.0.2", "172.17.0.2"}, {"", "10.1.0.2", "10.1.0.2"}, {"", "", ""}} {
		in := `[
    {
        "Id": "x",
        "NetworkSettings": {
            "Bridge": "",
            "SecondaryIPAddresses": null,
            "SecondaryIPv6Addresses": null,
            "Ports": {
                "80/tcp": null
            },
            "Gateway": "",
            "IPAddress": "` + c.address + `",
            "IPv6Gateway": "",
            "MacAddress": "",
            "Networks": {
                "bridge": {
                    "Links": null,
                    "Gateway": "",
                    "IPAddress": "` + c.network + `",
                    "DNSNames": []
                }
            }
        }
    }
]
`
		want := `[
    {
        "Id": "x",
        "NetworkSettings": {
            "Bridge": "",
            "Ports": {
                "80/tcp": null
            },
            "Gateway": "",
            "IPAddress": "` + c.want + `",
            "MacAddress": ""
        }
    }
]
`
		if got := oneAddress(in); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	if got := oneAddress("[]\n"); got != "[]\n" {
		t.Errorf("got %q", got)
	}
}

func TestWithVolumes(t *testing.T) {
	t.Parallel()
	in := `[
    {
        "Mounts": [
            {"Type": "volume", "Name": "0ab", "Source": "/var/lib/docker/volumes/0ab/_data", "Destination": "/opt/pg"},
            {"Type": "bind", "Source": "/a \"b", "Destination": "/c"}
        ],
        "NetworkSettings": {
        }
    },
    {
        "Mounts": [],
        "NetworkSettings": {
        }
    },
    {
        "Id": "an image"
    }
]
`
	want := strings.Replace(in, "        \"NetworkSettings\": {\n", `        "Volumes": {
            "/opt/pg": "/var/lib/docker/vfs/dir/0ab",
            "/c": "/a \"b"
        },
        "NetworkSettings":  {
`, 1)
	want = strings.Replace(want, "        \"NetworkSettings\": {\n", "        \"Volumes\": {},\n        \"NetworkSettings\": {\n", 1)
	want = strings.Replace(want, "Settings\":  {", "Settings\": {", 1)
	if got := withVolumes(in); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, same := range []string{"[]\n", "", "no JSON"} {
		if got := withVolumes(same); got != same {
			t.Errorf("%q: got %q", same, got)
		}
	}
}
