package plug_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// TestAsked has the app behind the verb, wherever it stood.
func TestAsked(t *testing.T) {
	t.Parallel()
	set := plug.Command{Name: "config:set-norestart", Same: "config:set", Args: "[--no-restart] APP|--global KEY=VALUE"}
	logs := plug.Command{Name: "logs", Args: "[-t] [-n NUM] [-p PROCESS] APP"}
	events := plug.Command{Name: "events", Args: "[APP] [--num N]"}
	list := plug.Command{Name: "apps:list"}
	for _, c := range []struct {
		cmd         plug.Command
		words, want string
	}{
		{set, "a K=V", "config:set a K=V"},
		{set, "--no-restart a K=V", "config:set a --no-restart K=V"},
		{set, "--no-restart --global K=V", "config:set --global --no-restart K=V"},
		{set, "", "config:set"},
		{set, "-x", "config:set -x"},
		{logs, "-t a", "logs a -t"},
		{logs, "-n 10 -p web a", "logs a -n 10 -p web"},
		{logs, "a -n 10", "logs a -n 10"},
		{logs, "-n", "logs -n"},
		{events, "a --num 3", "events a --num 3"},
		{list, "x y", "apps:list x y"},
	} {
		if got := strings.Join(c.cmd.Asked(strings.Fields(c.words)), " "); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.cmd.Name, c.words, got, c.want)
		}
	}
}

// TestAdmin asks for power over the host: who is refused learns it, what hooks do is not asked about, and without a
// plugin that decides everybody is an admin.
func TestAdmin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/policy", 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\n[ \"$*\" = 'u ops admin host:power x -v' ]\n"
	if err := os.WriteFile(dir+"/policy/user-auth", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	p := &plug.Plugin{Name: "host", Commands: []plug.Command{
		{Name: "host:power", Args: "APP OPTION", Run: func(ctx context.Context, c *plug.C) error { return c.Admin(ctx) }}}}
	for _, c := range []struct {
		name, asked string
		want        bool
	}{{"ops", plug.AuthorisedNow, true}, {"ann", plug.AuthorisedNow, false}, {"ann", plug.AuthorisedBefore, true}, {"ann", "", true}} {
		env := []string{"PATH=/usr/bin:/bin", "DOKKU_ROOT=" + dir, "SSH_USER=u", "SSH_NAME=" + c.name, plug.Authorised + "=" + c.asked}
		var out bytes.Buffer
		call := &pluginhook.Call{Hook: "commands", Args: []string{"host:power", "x", "-v"}, Env: env, Stdout: &out, Stderr: &out,
			Runner: &pluginhook.Runner{Path: dir, Env: env, Exec: pluginhook.OSExec}}
		if err := p.Func("commands")(t.Context(), call); (err == nil) != c.want {
			t.Errorf("%v: got %v\n%s", c, err, out.String())
		}
	}
}
