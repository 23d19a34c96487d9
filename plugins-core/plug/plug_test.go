package plug_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

func ExampleHelpLine() {
	fmt.Print(plug.HelpLine(plug.Command{Name: "url", Args: "APP", Help: "Show the URL for an application"}))
	// Output:
	//     url APP                                         Show the URL for an application
}

func TestHelpLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cmd  plug.Command
		want string
	}{
		{plug.Command{Name: "version", Help: "Print it"}, "    version" + strings.Repeat(" ", 41) + "Print it\n"},
		{plug.Command{Name: strings.Repeat("v", 40), Args: "APP [X]", Help: "Long"}, "    " + strings.Repeat("v", 40) + " APP [X] Long\n"},
		{plug.Command{Name: "v", Help: "x"}, "    v" + strings.Repeat(" ", 47) + "x\n"},
	} {
		got := plug.HelpLine(c.cmd)
		if got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if len(c.cmd.Name+c.cmd.Args) < 46 && strings.Index(got, c.cmd.Help) != 4+48 {
			t.Errorf("%q: the text is not in column 52", got)
		}
	}
}

// newPlugin is a plugin whose verbs tell what they were called with.
func newPlugin() *plug.Plugin {
	tell := func(_ context.Context, c *plug.C) error {
		fmt.Fprintf(c.Stdout, "%s %q\n", c.Verb(), c.Args)
		return nil
	}
	return &plug.Plugin{
		Name:  "demo",
		Hooks: map[string]plug.Hook{"post-deploy": tell, "a-hook": tell},
		Commands: []plug.Command{
			{Name: "demo", Args: "APP", Help: "Do it", Run: tell, Aliases: []string{"demo:show"}},
			{Name: "hidden", Run: tell},
			{Name: "wrong", Args: "APP", Help: "Complain", Run: func(_ context.Context, c *plug.C) error { return c.Usage("cannot do %q", "x") }},
			{Name: "needs-app", Help: "Need", Run: func(_ context.Context, c *plug.C) error { _, err := c.App(0); return err }},
		},
	}
}

func run(t *testing.T, p *plug.Plugin, hook, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, diag bytes.Buffer
	c := &pluginhook.Call{Hook: hook, Path: "/plugins/demo/" + hook, Args: args, Stdout: &out, Stderr: &diag}
	if stdin != "" {
		c.Stdin = strings.NewReader(stdin)
	}
	code = plug.Report(&diag, c.Path, p.Func(hook)(t.Context(), c))
	return code, out.String(), diag.String()
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	help := "    demo APP                                        Do it\n    wrong APP                                       Complain\n    needs-app                                       Need\n"
	for _, c := range []struct {
		stdin, words   string
		code           int
		stdout, stderr string
	}{
		{"", "", 10, "", ""},
		{"", "other", 10, "", ""},
		{"", "other:help", 10, "", ""},
		{"", "demo app", 0, "demo [\"app\"]\n", ""},
		{"", "demo:show app x", 0, "demo [\"app\" \"x\"]\n", ""},
		{"", "demo --help", 0, "    demo APP                                        Do it\n", ""},
		{"", "demo -h", 0, "    demo APP                                        Do it\n", ""},
		{"", "demo -h x", 0, "demo [\"-h\" \"x\"]\n", ""},
		{"", "hidden --help", 0, "hidden [\"--help\"]\n", ""},
		{"", "help", 0, help, ""},
		{"before\n", "help", 0, "before\n" + help, ""},
		{"no end", "help --all", 0, "no end" + help, ""},
		{"", "demo:help", 0, help, ""},
		{"", "wrong", 2, "", " !     cannot do \"x\"\n !     Usage: dokku wrong APP\n"},
		{"", "needs-app", 2, "", " !     cannot run needs-app: name the app\n !     Usage: dokku needs-app\n"},
		{"", "needs-app none", 1, "", " !     App none does not exist\n"},
	} {
		code, stdout, stderr := run(t, newPlugin(), "commands", c.stdin, strings.Fields(c.words)...)
		if code != c.code || stdout != c.stdout || stderr != c.stderr {
			t.Errorf("%q: got %d, %q, %q, want %d, %q, %q", c.words, code, stdout, stderr, c.code, c.stdout, c.stderr)
		}
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	p := newPlugin()
	if got, want := p.HookNames(), []string{"a-hook", "commands", "post-deploy"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if code, stdout, _ := run(t, p, "a-hook", "", "x"); code != 0 || stdout != " [\"x\"]\n" {
		t.Errorf("got %d, %q", code, stdout)
	}
	for _, hook := range []string{"none", "", "demo"} {
		if p.Func(hook) != nil {
			t.Errorf("got a hook %q", hook)
		}
	}
	if (&plug.Plugin{}).Func("commands") != nil {
		t.Error("a plugin without verbs has the hook commands")
	}
}

// TestUsageInHook has a hook complain of its arguments: there is no verb whose usage could be shown.
func TestUsageInHook(t *testing.T) {
	t.Parallel()
	p := &plug.Plugin{Name: "demo", Hooks: map[string]plug.Hook{
		"usage": func(_ context.Context, c *plug.C) error { return c.Usage("cannot do that") },
		"app":   func(_ context.Context, c *plug.C) error { _, err := c.App(1); return err },
	}}
	for hook, want := range map[string]string{"usage": " !     cannot do that\n", "app": " !     cannot run hook \"app\": give it the app's name\n"} {
		if code, _, stderr := run(t, p, hook, ""); code != 2 || stderr != want {
			t.Errorf("%s: got %d, %q, want 2, %q", hook, code, stderr, want)
		}
	}
}

// stub writes a file and returns its path.
func stub(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStubOf(t *testing.T) {
	t.Parallel()
	good := plug.Stub("apps")
	for what, c := range map[string]struct {
		path, want string
	}{
		"stub":              {stub(t, good, 0o755), "apps"},
		"long name":         {stub(t, plug.Stub("scheduler-docker-local"), 0o755), "scheduler-docker-local"},
		"no execute bit":    {stub(t, good, 0o644), ""},
		"edited":            {stub(t, strings.Replace(good, "core-hook", "core-hook -x", 1), 0o755), ""},
		"blank behind":      {stub(t, strings.TrimSuffix(good, "\n")+" \n", 0o755), ""},
		"return behind":     {stub(t, strings.TrimSuffix(good, "\n")+"\r\n", 0o755), ""},
		"no end of line":    {stub(t, strings.TrimSuffix(good, "\n"), 0o755), ""},
		"a line more":       {stub(t, good+"\n", 0o755), ""},
		"longer":            {stub(t, good+strings.Repeat("#", 500), 0o755), ""},
		"no plugin":         {stub(t, plug.Stub(""), 0o755), ""},
		"two words":         {stub(t, plug.Stub("a b"), 0o755), ""},
		"empty":             {stub(t, "", 0o755), ""},
		"other script":      {stub(t, "#!/bin/sh\n", 0o755), ""},
		"missing":           {filepath.Join(t.TempDir(), "none"), ""},
		"directory":         {t.TempDir(), ""},
		"a file as its dir": {stub(t, good, 0o755) + "/x", ""},
	} {
		if got, ok := plug.StubOf(c.path); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s: got %q, %v, want %q", what, got, ok, c.want)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(stub(t, good, 0o755), link); err != nil {
		t.Fatal(err)
	}
	if got, ok := plug.StubOf(link); !ok || got != "apps" {
		t.Errorf("link: got %q, %v", got, ok)
	}
}

// TestStubOfPipe has a named pipe in the place of a hook: looking at it must not wait for somebody to write.
func TestStubOfPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hook")
	if err := syscall.Mkfifo(path, 0o755); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() { _, ok := plug.StubOf(path); done <- ok }()
	select {
	case ok := <-done:
		if ok {
			t.Error("a pipe is a stub")
		}
	case <-time.After(10 * time.Second):
		t.Error("still waits for a writer")
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	own := "/plugins/demo/commands"
	core := stub(t, plug.Stub("apps"), 0o755)
	foreign := stub(t, "#!/bin/sh\n", 0o755)
	exit := func(path string, code int) error { return &pluginhook.ExitError{Path: path, Code: code} }
	killed := &pluginhook.ExitError{Path: core, Code: 137, Signal: syscall.SIGKILL}
	late := &pluginhook.ExitError{Path: core, Code: pluginhook.StatusTimeout, Err: errors.New("too late")}
	plain := errors.New("cannot do it")
	for _, c := range []struct {
		what string
		err  error
		code int
		want string
	}{
		{"nothing", nil, 0, ""},
		{"plain", plain, 1, " !     cannot do it\n"},
		{"two lines", errors.New("one\ntwo\n"), 1, " !     one\n !     two\n"},
		{"usage", &plug.UsageError{Text: "wrong\nUsage: x"}, 2, " !     wrong\n !     Usage: x\n"},
		{"own status", exit(own, 7), 7, ""},
		{"own status with a reason", &pluginhook.ExitError{Path: own, Code: 7, Err: plain}, 7, fmt.Sprintf(" !     hook %q failed: cannot do it\n", own)},
		{"core hook, which has spoken", exit(core, 5), 5, ""},
		{"other hook", exit(foreign, 5), 5, fmt.Sprintf(" !     hook %q failed: exit status 5\n", foreign)},
		{"core hook that was killed", killed, 137, fmt.Sprintf(" !     hook %q was ended by signal KILL (status 137)\n", core)},
		{"core hook that ran too long", late, 124, fmt.Sprintf(" !     hook %q failed: too late\n", core)},
		{"wrapped status", fmt.Errorf("app: %w", exit(core, 5)), 5, fmt.Sprintf(" !     app: hook %q failed: exit status 5\n", core)},
		{"signal", fmt.Errorf("given up: %w", &pluginhook.SignalError{Signal: syscall.SIGTERM}), 143, " !     given up: ended by signal TERM\n"},
		{"joined: the first has the status", errors.Join(exit(core, 5), plain), 5, " !     cannot do it\n"},
		{"joined deep, with nothing in it", errors.Join(nil, errors.Join(plain, nil, exit(own, 3)), &plug.UsageError{Text: "u"}), 1, " !     cannot do it\n !     u\n"},
	} {
		var out bytes.Buffer
		if code := plug.Report(&out, own, c.err); code != c.code || out.String() != c.want {
			t.Errorf("%s: got %d, %q, want %d, %q", c.what, code, out.String(), c.code, c.want)
		}
	}
}

// TestWith changes the environment of hooks without changing that of the call.
func TestWith(t *testing.T) {
	t.Parallel()
	env := []string{"A=1", "B=2"}
	c := &plug.C{Call: &pluginhook.Call{Env: env, Runner: &pluginhook.Runner{Env: env}}}
	changed := c.With("A", "9")
	if got := changed.Getenv("A") + changed.Getenv("B"); got != "92" {
		t.Errorf("got %q, want 92", got)
	}
	if v, _ := settings.Lookup(changed.Runner.Env, "A"); v != "9" || c.Getenv("A") != "1" || c.Runner.Env[0] != "A=1" {
		t.Errorf("got %q for hooks, %q for the call before", v, c.Getenv("A"))
	}
}

// TestTriggers runs hooks of other plugins in each of the ways there are.
func TestTriggers(t *testing.T) {
	t.Parallel()
	plugins := t.TempDir()
	for name, text := range map[string]string{
		"a/ask": "#!/bin/sh\necho \" first $1 \"\n", "b/ask": "#!/bin/sh\necho second\n",
		"a/filter": "#!/bin/sh\ncat\necho a\n", "b/filter": "#!/bin/sh\ncat\necho b\n", "a/fail": "#!/bin/sh\necho said; exit 4\n",
	} {
		path := filepath.Join(plugins, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var out, diag bytes.Buffer
	env := []string{"PATH=" + os.Getenv("PATH")}
	c := &plug.C{Call: &pluginhook.Call{Env: env, Stdout: &out, Stderr: &diag, Runner: &pluginhook.Runner{Path: plugins, Env: env}}}
	ctx := t.Context()
	if err := c.Trigger(ctx, "ask", "x"); err != nil || out.String() != " first x \nsecond\n" {
		t.Errorf("Trigger: got %q, %v", out.String(), err)
	}
	if got, err := c.Query(ctx, "ask", "x"); err != nil || got != " first x \nsecond" {
		t.Errorf("Query: got %q, %v", got, err)
	}
	if got, err := c.FirstLine(ctx, "ask", "x"); err != nil || got != "first x" {
		t.Errorf("FirstLine: got %q, %v", got, err)
	}
	if got, err := c.Filter(ctx, "in\n", "filter"); err != nil || got != "in\na\nb\n" {
		t.Errorf("Filter: got %q, %v", got, err)
	}
	if got, err := c.Filter(ctx, "in\n", "none"); err != nil || got != "" {
		t.Errorf("Filter without hooks: got %q, %v", got, err)
	}
	var exit *pluginhook.ExitError
	if _, err := c.Query(ctx, "fail"); !errors.As(err, &exit) || exit.Code != 4 {
		t.Errorf("a failure: got %v", err)
	}
	for hook, want := range map[string]bool{"ask": true, "none": false} {
		if got, err := c.Implemented(hook); err != nil || got != want {
			t.Errorf("Implemented(%q): got %v, %v, want %v", hook, got, err, want)
		}
	}
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	for _, c := range []struct {
		text    string
		mode    os.FileMode
		changed bool
	}{{"a", 0o644, true}, {"a", 0o644, false}, {"a", 0o755, true}, {"b", 0o755, true}, {"b", 0o755, false}, {"", 0o440, true}} {
		changed, err := plug.WriteFile(path, c.text, c.mode)
		got, readErr := os.ReadFile(path)
		st, statErr := os.Stat(path)
		if err != nil || readErr != nil || statErr != nil || changed != c.changed || string(got) != c.text || st.Mode() != c.mode {
			t.Errorf("%q %v: got changed %v, %q, %v, %v", c.text, c.mode, changed, got, st.Mode(), err)
		}
	}
}
