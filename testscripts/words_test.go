package testscripts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kballard/go-shellquote"

	core "github.com/dokku-go/dokku/plugins-core"
)

// TestSSHWords sends generated argument lists through a real ssh, quoted as a shell's user would: they arrive as they
// were, byte for byte, and nothing in them is expanded.
func TestSSHWords(t *testing.T) {
	if testing.Short() {
		t.Skip("starts sshd and nginx: not in short mode")
	}
	t.Parallel()
	const lists = 500
	p := newPlatform(t)
	work := filepath.Join(p.dir, "words")
	if err := os.MkdirAll(filepath.Join(work, "plugins/words"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/usr/bin/env bash\nif [[ $1 == words ]]; then shift; printf '%s\\0' \"$@\"; else exit 10; fi\n"
	if err := os.WriteFile(filepath.Join(work, "plugins/words/commands"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	plugins, err := p.plugins(work)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(work, "ssh_config")
	if err := p.sshConfig(config, []string{"PLUGIN_PATH=" + plugins}); err != nil {
		t.Fatal(err)
	}
	// One connection for all: the words are what is tested, not the handshake.
	ssh := []string{"ssh", "-F", config, "-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", "ControlPath=" + p.dir + "/mux", "dokku"}
	t.Cleanup(func() { _ = p.run(nil, "ssh", "-F", config, "-o", "ControlPath="+p.dir+"/mux", "-O", "exit", "dokku") })
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	pieces := []string{"a", "two  words", "*", "?", "[x]", "$HOME", "${x}", "`id`", "$(id)", ";id", "|", "&", "<", ">", "'", "\"", "\\", "\\n",
		"\n", "\t", "é", "日本", "~", "#", "!", "=", "{a,b}", "-", "--", "%", "", " ", "\xff"}
	good := 0
	for list := range lists {
		argv := []string{}
		count := random.IntN(6) + 1
		if list%50 == 0 {
			count = 200
		}
		for range count {
			var word strings.Builder
			for range random.IntN(5) {
				word.WriteString(pieces[random.IntN(len(pieces))])
			}
			argv = append(argv, word.String())
		}
		quoted := make([]string, len(argv))
		for i, word := range argv {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		if random.IntN(2) == 0 && !strings.Contains(strings.Join(argv, ""), "\xff") {
			quoted = []string{shellquote.Join(argv...)}
		}
		out, err := p.command(nil, append(slices.Clone(ssh), "words "+strings.Join(quoted, " "))...).Output()
		if want := strings.Join(argv, "\x00") + "\x00"; err != nil || string(out) != want {
			t.Errorf("seed %d: sent %q, got %q, %v", seed, argv, out, err)
			continue
		}
		good++
	}
	t.Logf("seed %d: %d of %d argument lists arrived as sent", seed, good, lists)
	for _, open := range []string{"words 'a", "words \"a", "words a\\"} {
		if out, err := p.command(nil, append(slices.Clone(ssh), open)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "cannot read the command") {
			t.Errorf("%s: got %q, %v; want a clear error", open, out, err)
		}
	}
}

// TestAppNames makes apps of 250 names: those that the documented rule takes exist afterwards, nothing else does.
func TestAppNames(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a platform: not in short mode")
	}
	t.Parallel()
	p := newPlatform(t)
	label := `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`
	rule := regexp.MustCompile(`^` + label + `(\.` + label + `)*$`)
	names := []string{"../x", "a/b", "a b", "-x", "--global", ".", "..", ".ssh", "A", "a_b", "a:b", "a;id", "$(id)", strings.Repeat("a", 63),
		strings.Repeat("a", 64), "a", "a.", ".a", "a..b", "ü", "tls", "plugins", "stack", "stack-base", "a-", "a\n", "\n", "a\tb", "www.other.com", "10.0.0.1", "0", "a--b",
		"*", "?", "~", "#", "a%20b", "'", "\"", "\\", strings.Repeat("a.", 60) + "a", "a.-b", "xn--a", "git-receive-pack", "\xff"}
	random := rand.New(rand.NewPCG(1, 2))
	for len(names) < 250 {
		alphabet := "ab09-.-.AZ_/ :é"
		var b strings.Builder
		for range random.IntN(12) + 1 {
			b.WriteString(string([]rune(alphabet)[random.IntN(len([]rune(alphabet)))]))
		}
		names = append(names, b.String())
	}
	before := tree(t, p.dir)
	made := map[string]bool{}
	agree := 0
	for _, name := range names {
		wanted := rule.MatchString(name) && len(name) <= 100 && !slices.Contains([]string{"tls", "plugins", "stack", "stack-base"}, name) && name != "10.0.0.1"
		out, err := p.command(nil, p.bin+"/dokku", "apps:create", name).CombinedOutput()
		if wanted != (err == nil) && !made[name] {
			t.Errorf("apps:create %q: %v, want accepted: %v\n%s", name, err, wanted, out)
			continue
		}
		if wanted {
			made[name] = true
		}
		agree++
	}
	for path := range tree(t, p.dir) {
		rel, err := filepath.Rel(p.root, path)
		app, _, _ := strings.Cut(rel, "/")
		if !before[path] && (err != nil || !made[app]) {
			t.Errorf("apps:create made %q", path)
		}
	}
	t.Logf("%d of %d names agree with the rule", agree, len(names))
}

func tree(t *testing.T, dir string) map[string]bool {
	t.Helper()
	paths := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		paths[path] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestOddWords calls every verb with words that look like options, are empty, huge or no text: each is a usage error or
// taken as data, and nothing panics or hangs.
func TestOddWords(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a platform: not in short mode")
	}
	t.Parallel()
	p := newPlatform(t)
	if err := p.run(nil, p.bin+"/dokku", "apps:create", "odd"); err != nil {
		t.Fatal(err)
	}
	words := []string{"-", "--", "--help", "-rf", "", "=", strings.Repeat("x", 100<<10), "\xff\xfe"}
	verbs := []string{"help", "frobnicate"}
	for _, plugin := range core.All() {
		for _, cmd := range plugin.Commands {
			verbs = append(verbs, cmd.Name)
		}
	}
	tried := 0
	for _, verb := range verbs {
		for _, word := range words {
			for _, args := range [][]string{{verb, word}, {verb, "odd", word}} {
				if args[1] != word && (strings.HasPrefix(verb, "apps:destroy") || verb == "delete") && word != "-rf" {
					continue // would destroy the app that the others need
				}
				tried++
				checkOddWords(t, p, args)
			}
		}
	}
	t.Logf("%d command lines of %d verbs", tried, len(verbs))
}

func checkOddWords(t *testing.T, p *platform, args []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	base := p.command(nil, append([]string{p.bin + "/dokku"}, args...)...)
	cmd := exec.CommandContext(ctx, base.Path, base.Args[1:]...)
	cmd.Env, cmd.Dir = base.Env, base.Dir
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	shown := fmt.Sprintf("%.60q", args)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Errorf("%s hangs", shown)
	case bytes.Contains(out, []byte("panic:")) || bytes.Contains(out, []byte("goroutine ")):
		t.Errorf("%s panics:\n%.2000s", shown, out)
	case errors.As(err, &exit) && (exit.ExitCode() < 1 || exit.ExitCode() > 127):
		t.Errorf("%s: status %d\n%.500s", shown, exit.ExitCode(), out)
	case err != nil && len(out) == 0 && args[0] != "config:get" && args[0] != "git-hook":
		t.Errorf("%s: fails (%v) and says nothing", shown, err)
	}
}
