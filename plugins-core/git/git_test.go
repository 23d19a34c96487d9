package git

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

const (
	zero = "0000000000000000000000000000000000000000"
	one  = "1111111111111111111111111111111111111111"
	two  = "abcdef0123456789abcdef0123456789abcdef01"
)

func TestReadUpdates(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64) // an object of sha256
	for text, want := range map[string][]update{
		"": nil,
		zero + " " + one + " refs/heads/master\n":                                {{zero, one, "refs/heads/master"}},
		one + " " + two + " refs/heads/a\n" + one + " " + zero + " refs/tags/v1": {{one, two, "refs/heads/a"}, {one, zero, "refs/tags/v1"}},
		long + " " + long + " refs/heads/with blank\n":                           {{long, long, "refs/heads/with blank"}},
		zero + " " + one + " refs/heads/" + strings.Repeat("x", 4000) + "\n":     {{zero, one, "refs/heads/" + strings.Repeat("x", 4000)}},
		zero + " " + one + " refs/heads/\xff\u00e9\n":                            {{zero, one, "refs/heads/\xff\u00e9"}},
	} {
		got, err := readUpdates(strings.NewReader(text))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%.200q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"\n", "x\n", "a b\n", one + " " + two + "\n", "a b refs/heads/master\n", "--all " + one + " refs/heads/master\n",
		one + " --all refs/heads/master\n", one + "  refs/heads/master\n", one[1:] + " " + two + " refs/heads/master\n",
		one + " " + strings.ToUpper(two) + " refs/heads/master\n", one + " " + two + " \n", zero + " " + one + " refs/heads/" + strings.Repeat("x", 1<<20)} {
		if got, err := readUpdates(strings.NewReader(text)); err == nil {
			t.Errorf("%.200q: got %v, want an error", text, got)
		}
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		u        update
		deletes  bool
		branch   string
		isBranch bool
	}{
		{update{zero, one, "refs/heads/master"}, false, "master", true},
		{update{one, zero, "refs/heads/a/b"}, true, "a/b", true},
		{update{one, strings.Repeat("0", 64), "refs/heads/x"}, true, "x", true},
		{update{zero, one, "refs/tags/v1"}, false, "refs/tags/v1", false},
	} {
		branch, ok := c.u.branch()
		if got := c.u.deletes(); got != c.deletes || branch != c.branch || ok != c.isBranch {
			t.Errorf("%v: got deletes %v, branch %q, %v", c.u, got, branch, ok)
		}
	}
}

func TestChooseBranch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		configured, pushed, want string
	}{
		{"", "", "master"},
		{"", "master", "master"},
		{"", "main", "main"},
		{"", "main master", "master"},
		{"", "feature main", "main"},
		{"", "feature other", "feature"},
		{"", "-master feature", "feature"},
		{"", "-main", "master"},
		{"", "refs/tags/v1", "master"},
		{"", "refs/tags/master feature", "feature"},
		{"main", "master", "main"},
		{"main", "", "main"},
		{"main", "-main", "main"},
	} {
		var updates []update
		for word := range strings.FieldsSeq(c.pushed) {
			u := update{old: zero, new: one, ref: "refs/heads/" + strings.TrimPrefix(word, "-")}
			if strings.HasPrefix(word, "refs/") {
				u.ref = word
			}
			if word[0] == '-' { // deleted
				u.old, u.new = one, zero
			}
			updates = append(updates, u)
		}
		if got := chooseBranch(c.configured, updates); got != c.want {
			t.Errorf("configured %q, pushed %q: got %q, want %q", c.configured, c.pushed, got, c.want)
		}
	}
}

// newCall makes a call of a verb of the plugin.
func newCall(env []string, stdin string, args ...string) (*pluginhook.Call, *bytes.Buffer) {
	var out bytes.Buffer
	return &pluginhook.Call{Hook: "commands", Path: "/plugins/git/commands", Args: args, Env: env, Stdin: strings.NewReader(stdin),
		Stdout: &out, Stderr: &out, Runner: &pluginhook.Runner{Path: "/nonexistent", Env: env}}, &out
}

func TestAppName(t *testing.T) {
	t.Parallel()
	env := []string{settings.Root + "=/home/dokku"}
	for word, want := range map[string]string{
		"app": "app", "'app'": "app", "/app": "app", "'/app'": "app", "app.git": "app", "/app.git/": "app", "~/app": "app", "'/~/app'": "app",
		"/home/dokku/app": "app", "/home/dokku/app.git": "app", "www.example.com": "www.example.com", "": "", "/": "",
		"../app": "../app", "a/b": "a/b", "/etc/passwd": "etc/passwd", "a b": "a b", "app.git.git": "app.git", "-x": "-x",
	} {
		if got := appName(settings.Settings{Env: env}, word); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

// TestEnv keeps the variables of a push, which belong to its repository, from git's other programs.
func TestEnv(t *testing.T) {
	t.Parallel()
	call, _ := newCall([]string{"PATH=/bin", "GIT_DIR=.", "GIT_QUARANTINE_PATH=/q", "GIT_OBJECT_DIRECTORY=/o", "GIT_PROTOCOL=version=2", "GITX=1"}, "")
	if got, want := env(&plug.C{Call: call}), []string{"PATH=/bin", "GIT_PROTOCOL=version=2", "GITX=1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// repository is an app with a bare repository that has one commit, and the call of a verb of it.
func repository(t *testing.T) (a app.App, env []string, rev string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("git is missing: install the package git")
	}
	a = app.App{Name: "one", Root: t.TempDir()}
	if err := os.Mkdir(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + a.Root, settings.Root + "=" + a.Root, settings.LibRoot + "=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1"}
	run := func(dir string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(slices.Clone(env), "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if code, out := verb(t.Context(), env, "", "git:initialize", a.Name); code != 0 {
		t.Fatalf("cannot initialise: %s", out)
	}
	work := t.TempDir()
	run(work, "init", "-q", "-b", "master")
	for name, text := range map[string]string{"file": "content\n", "crlf.txt": "a\nb\n", ".gitattributes": "crlf.txt text eol=crlf\nsecret export-ignore\n", "secret": "s"} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(work, "add", "-A")
	run(work, "commit", "-q", "-m", "first")
	rev = run(work, "rev-parse", "HEAD")
	// The objects only: no hook runs, and no ref moves.
	run(a.Dir(), "fetch", "-q", work, "master")
	return a, env, rev
}

// verb runs a verb of the plugin and returns its status and what it printed.
func verb(ctx context.Context, env []string, stdin string, args ...string) (int, string) {
	call, out := newCall(env, stdin, args...)
	err := Plugin().Func("commands")(ctx, call)
	return plug.Report(out, call.Path, err), out.String()
}

// TestExport writes a tree as a checkout does, not as git archive does, and leaves no trace of git in it.
func TestExport(t *testing.T) {
	t.Parallel()
	a, env, rev := repository(t)
	call, _ := newCall(env, "")
	dir := filepath.Join(t.TempDir(), "src")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := export(t.Context(), &plug.C{Call: call}, a, rev, dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"file": "content\n", "crlf.txt": "a\r\nb\r\n", "secret": "s"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, ".git")); !os.IsNotExist(err) {
		t.Errorf("the tree has a .git: %v", err)
	}
	for _, bad := range []string{one, "--help", "-b", "nonsense", ""} {
		if err := export(t.Context(), &plug.C{Call: call}, a, bad, t.TempDir()); err == nil {
			t.Errorf("revision %q: got no error", bad)
		}
	}
}

// TestHookWords gives the pre-receive hook what git would not: each is refused, and nothing breaks.
func TestHookWords(t *testing.T) {
	t.Parallel()
	a, env, rev := repository(t)
	for _, c := range []struct{ stdin, want string }{
		{"x\n", "cannot read"},
		{"0 " + rev[:6] + " refs/heads/master\n", "cannot read"},
		{zero + " " + one + " refs/heads/master\n", "cannot read " + one},
		{one + " " + rev + " refs/heads/master\n", "another push moved master meanwhile"},
		{rev + " " + zero + " refs/heads/master\n", "cannot delete master"},
	} {
		code, out := verb(t.Context(), env, c.stdin, "git-hook", a.Name)
		if code != 1 || !strings.Contains(out, c.want) {
			t.Errorf("%q: got %d, %q, want 1 and %q", c.stdin, code, out, c.want)
		}
	}
	if code, out := verb(t.Context(), env, "", "git-hook", a.Name); code != 0 || out != "" {
		t.Errorf("no updates: got %d, %q", code, out)
	}
	code, out := verb(t.Context(), env, zero+" "+rev+" refs/tags/v1\n", "git-hook", a.Name)
	if want := "-----> WARNING: deploy did not complete, you must push to master.\n-----> for example, try 'git push <dokku> v1^{}:master'\n"; code != 0 || out != want {
		t.Errorf("a tag: got %d, %q, want 0, %q", code, out, want)
	}
}

// TestSetBranch sets and unsets the branch that deploys.
func TestSetBranch(t *testing.T) {
	t.Parallel()
	a, env, _ := repository(t)
	for _, c := range []struct {
		words string
		code  int
		want  string // what the hook says
	}{
		{"deploy-branch main", 0, "main\n"},
		{"deploy-branch feature/x", 0, "feature/x\n"},
		{"deploy-branch -x", 1, "feature/x\n"},
		{"deploy-branch a..b", 1, "feature/x\n"},
		{"nonsense x", 2, "feature/x\n"},
		{"deploy-branch a b", 2, "feature/x\n"},
		{"deploy-branch", 0, "master\n"},
	} {
		code, out := verb(t.Context(), env, "", append([]string{"git:set", a.Name}, strings.Fields(c.words)...)...)
		if code != c.code {
			t.Errorf("git:set %s: got %d, %q, want %d", c.words, code, out, c.code)
		}
		call, said := newCall(env, "", a.Name)
		call.Hook = "git-deploy-branch"
		if err := Plugin().Func(call.Hook)(t.Context(), call); err != nil || said.String() != c.want {
			t.Errorf("after git:set %s: got %q, %v, want %q", c.words, said, err, c.want)
		}
	}
}

// TestInitialise makes a repository in a directory that is there, repairs its hook, and quotes its root.
func TestInitialise(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "it's a root")
	a := app.App{Name: "one", Root: root}
	if err := os.MkdirAll(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + root, settings.Root + "=" + root}
	for range 2 {
		if code, out := verb(t.Context(), env, "", "git:initialize", a.Name); code != 0 {
			t.Fatalf("got %d, %s", code, out)
		}
		if got := a.State("HEAD"); got != "ref: refs/heads/master" {
			t.Errorf("got HEAD %q", got)
		}
		file := a.Path("hooks/pre-receive")
		// A dokku that tells what it was called with.
		bin := t.TempDir()
		if err := os.WriteFile(filepath.Join(bin, "dokku"), []byte("#!/bin/sh\necho \"$DOKKU_ROOT|$*\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(file)
		cmd.Env = []string{"PATH=" + bin + ":/bin:/usr/bin"}
		if out, err := cmd.Output(); err != nil || string(out) != fmt.Sprintf("%s|git-hook one\n", root) {
			t.Errorf("got %q, %v", out, err)
		}
		if err := os.WriteFile(file, []byte("#!/bin/sh\nexit 1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
