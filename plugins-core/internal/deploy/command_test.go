package deploy_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"server --port $PORT":       {"server", "--port", "8123"},
		"server ${PORT}0 'a b'":     {"server", "81230", "a b"},
		`server "x $PORT" a=b`:      {"server", "x 8123", "a=b"},
		"server '$PORT'":            {"server", "$PORT"},
		`server \$PORT`:             {"server", "$PORT"},
		"server $PORTS":             {"/bin/sh", "-c", "server $PORTS"},
		"exec x '$1' y":             {"x", "$1", "y"},
		"umask 077":                 {"/bin/sh", "-c", "umask 077"},
		"cd /app && exec x $PORT":   {"/bin/sh", "-c", "cd /app && exec x 8123"},
		"server $HOME":              {"/bin/sh", "-c", "server $HOME"},
		`server "$HOME"`:            {"/bin/sh", "-c", `server "$HOME"`},
		"A=b server":                {"/bin/sh", "-c", "A=b server"},
		"./a=b x":                   {"./a=b", "x"},
		"server *.js":               {"/bin/sh", "-c", "server *.js"},
		"server '*.js' 'a;b' \"|\"": {"server", "*.js", "a;b", "|"},
	} {
		image := &dockerapi.Image{Labels: map[string]string{dockerapi.LabelProcfile: base64.StdEncoding.EncodeToString([]byte("web: " + line + "\nworker: w\n"))}}
		if got, err := deploy.Command(image, nil, "web", 8123); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
		}
		if got, err := deploy.Command(&dockerapi.Image{}, envfile.Vars{deploy.StartCommand: line}, "web", 8123); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s=%q: got %q, %v, want %q", deploy.StartCommand, line, got, err, want)
		}
	}
	procfile := func(text string) *dockerapi.Image {
		return &dockerapi.Image{Shell: []string{"/bin/bash", "-ec"}, Labels: map[string]string{dockerapi.LabelProcfile: base64.StdEncoding.EncodeToString([]byte(text))}}
	}
	for _, c := range []struct {
		text, variable, kind string
		want                 []string
		err                  string
	}{
		{"", "", "web", nil, ""},
		{"", "", "worker", nil, "only sources with a Procfile"},
		{"worker: w 1\n", "", "web", nil, ""},
		{"worker: w 1\r\n", "", "worker", []string{"w", "1"}, ""},
		{"worker: w $PORT\n", "", "worker", []string{"/bin/bash", "-ec", "w $PORT"}, ""},
		{"worker: w\nweb: x\n", "", "clock", nil, "has only: web, worker"},
		{"web: x\nworker: w\n", "y z", "web", []string{"y", "z"}, ""},
		{"web: x\nworker: w\n", "y z", "worker", []string{"w"}, ""},
		{"web: 'x\n", "", "web", nil, "cannot use the Procfile: web"},
		{"no\n", "", "web", nil, "cannot read the Procfile"},
		{"web: x\n", "'y", "web", nil, "cannot use DOKKU_DOCKERFILE_START_CMD"},
	} {
		port := 5000
		if c.kind != "web" {
			port = 0
		}
		got, err := deploy.Command(procfile(c.text), envfile.Vars{deploy.StartCommand: c.variable}, c.kind, port)
		if (c.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) || !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
}

// FuzzCommand takes any line of a Procfile apart, or refuses it.
func FuzzCommand(f *testing.F) {
	for _, line := range []string{"a b", "a $PORT ${PORT} '$PORT' \\$PORT", "a && b", "A=b c", "\"a", "a\\", "${PORT"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got, err := deploy.Command(&dockerapi.Image{}, envfile.Vars{deploy.StartCommand: line}, "web", 5000)
		if err == nil && strings.TrimSpace(line) != "" && len(got) == 0 {
			t.Errorf("%q: got no words", line)
		}
	})
}
