package dokkucmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/dokku/internal/inproc"
	"github.com/dokku-go/dokku/pluginhook"
	core "github.com/dokku-go/dokku/plugins-core"
)

// oddWords are words that look like options, like nothing, and like nothing that anybody would type.
func oddWords() [][]string {
	odd := []string{"-", "--", "--help", "-rf", "", "=", strings.Repeat("x", 100<<10), "\xff\xfe"}
	all := [][]string{nil}
	for _, word := range odd {
		all = append(all, []string{word}, []string{"one", word}, []string{word, "one"}, []string{word, word, word})
	}
	return append(all, []string{"one"}, []string{"one", "../x", "a/b"}, []string{"--global"}, []string{"--all"}, []string{"..", "x"}, []string{"0", ""})
}

// TestOddWords gives odd words to every verb and every hook of every plugin, with an app and without an engine: each
// ends with a status and without a stack trace, and nothing is made outside of the instance's directories.
func TestOddWords(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	root := filepath.Join(top, "root")
	plugins := filepath.Join(top, "plugins")
	if _, err := core.Write(plugins); err != nil {
		t.Fatal(err)
	}
	ask := func(env []string, p, hook string, args ...string) (int, string) {
		if err := os.MkdirAll(filepath.Join(root, "one"), 0o755); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var out, diag bytes.Buffer
		dir := filepath.Join(plugins, p)
		r := &pluginhook.Runner{Path: plugins, Env: env, Exec: inproc.Exec(core.Lookup, pluginhook.OSExec, 10*time.Second)}
		err := r.Exec(ctx, &pluginhook.Call{Hook: hook, Path: filepath.Join(dir, hook), Dir: dir, Args: args, Env: env, Stdout: &out, Stderr: &diag, Runner: r})
		var exit *pluginhook.ExitError
		switch {
		case ctx.Err() != nil:
			t.Errorf("%s %s %.100q: did not end", p, hook, args)
		case errors.As(err, &exit):
			return exit.Code, diag.String()
		case err != nil:
			t.Errorf("%s %s %.100q: got %v, want a status", p, hook, args, err)
		}
		return 0, diag.String()
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + root, "DOKKU_ROOT=" + root, "DOKKU_LIB_ROOT=" + filepath.Join(top, "lib"), "PLUGIN_PATH=" + plugins,
		"TMPDIR=" + top, "DOCKER_HOST=unix://" + filepath.Join(top, "none.sock"), "DOKKU_NGINX_TEST_COMMAND=true", "DOKKU_NGINX_RELOAD_COMMAND=true",
		"DOKKU_NGINX_PID_FILE=" + filepath.Join(top, "none.pid")}
	withApp := append(slices.Clone(env), "DOKKU_APP_NAME=one")
	asked := 0
	check := func(env []string, p, hook string, args ...string) {
		asked++
		if code, diag := ask(env, p, hook, args...); strings.Contains(diag, "panic") || strings.Contains(diag, "goroutine ") || code < 0 || code > 255 {
			t.Errorf("%s %s %.100q: got %d, %s", p, hook, args, code, diag)
		}
	}
	for _, p := range core.All() {
		for _, words := range oddWords() {
			for _, cmd := range p.Commands {
				if cmd.Name == "git-receive-pack" && slices.Contains(words, "one") {
					continue // it would go on as git
				}
				if cmd.Name == "backup:export" && len(words) == 1 && !strings.HasPrefix(words[0], "-") {
					continue // it would write that file
				}
				check(env, p.Name, "commands", append([]string{cmd.Name}, words...)...)
				if len(words) < 2 && cmd.Name != "git-receive-pack" {
					check(withApp, p.Name, "commands", append([]string{cmd.Name}, words...)...)
				}
			}
			for hook := range p.Hooks {
				check(env, p.Name, hook, words...)
				check(withApp, p.Name, hook, append([]string{"docker-local"}, words...)...)
			}
		}
	}
	entries, err := os.ReadDir(top)
	if want := []string{"lib", "plugins", "root"}; err != nil || !slices.Equal(names(entries), want) {
		t.Errorf("got %v, %v, want only %v", names(entries), err, want)
	}
	if entries, err = os.ReadDir(root); err != nil {
		t.Error(err)
	}
	for _, name := range names(entries) {
		if name != "one" && name != ".env.lock" && name != "ENV" && name != "HOSTNAME" && name != ".dokkurc" && name != "0" && name != "docker-local" {
			t.Errorf("got %.100q in the root", name)
		}
	}
	t.Log(fmt.Sprint(asked, " calls"))
}

func names(entries []os.DirEntry) []string {
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
