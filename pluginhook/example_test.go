package pluginhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dokku-go/dokku/pluginhook"
)

// lay makes a plugin path of a few hooks for the examples, and the function that removes it.
func lay(files ...string) (path string, remove func()) {
	path, err := os.MkdirTemp("", "plugins-")
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(files); i += 2 {
		file := filepath.Join(path, files[i])
		os.MkdirAll(filepath.Dir(file), 0o755)
		if err := os.WriteFile(file, []byte(files[i+1]), 0o755); err != nil {
			panic(err)
		}
	}
	return path, func() { os.RemoveAll(path) }
}

func ExampleRunner() {
	path, remove := lay(
		"upper/text", "#!/bin/sh\ntr a-z A-Z\n",
		"greet/text", "#!/bin/sh\necho \"hello $1,\"\ncat\n",
	)
	defer remove()
	r := &pluginhook.Runner{Path: path}
	in := strings.NewReader("how do you do?\n")
	if err := r.Trigger(context.Background(), in, os.Stdout, os.Stderr, "text", "world"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// HELLO WORLD,
	// HOW DO YOU DO?
}

func ExampleRunner_Broadcast() {
	path, remove := lay(
		"a/done", "#!/bin/sh\necho mail sent to $1\n",
		"b/done", "#!/bin/sh\nexit 3\n",
		"c/done", "#!/bin/sh\necho logged\nexit 4\n",
	)
	defer remove()
	r := &pluginhook.Runner{Path: path, KeepGoing: true}
	err := r.Broadcast(context.Background(), nil, os.Stdout, os.Stderr, "done", "ann")
	fmt.Println(strings.ReplaceAll(err.Error(), path, "/plugins"))
	// Output:
	// mail sent to ann
	// logged
	// hook "/plugins/b/done" failed: exit status 3
	// hook "/plugins/c/done" failed: exit status 4
}

func ExampleHook() {
	path, remove := lay("9/text", "#!/bin/sh\n", "10/text", "#!/no/such/shell\n", ".git/text", "")
	defer remove()
	hooks, err := pluginhook.Find(path, "text")
	if err != nil {
		fmt.Println(err)
	}
	for _, h := range hooks {
		fmt.Println(h.Plugin, h.Name, h.Check() == nil)
	}
	// Output:
	// 10 text false
	// 9 text true
}

// A caller that has a hook in Go runs it instead of the file, which stays as the sign that the plugin has the hook.
func ExampleExec() {
	path, remove := lay("a/text", "#!/bin/sh\ntr a-z A-Z\n", "builtin/text", "")
	defer remove()
	var exec pluginhook.Exec = func(ctx context.Context, c *pluginhook.Call) error {
		if filepath.Base(c.Dir) != "builtin" {
			return pluginhook.OSExec(ctx, c)
		}
		_, err := io.Copy(c.Stdout, c.Stdin)
		fmt.Fprintln(c.Stdout, "and Go")
		return err
	}
	r := &pluginhook.Runner{Path: path, Exec: exec}
	if err := r.Trigger(context.Background(), strings.NewReader("shell\n"), os.Stdout, os.Stderr, "text"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// SHELL
	// and Go
}

func ExampleFunc() {
	path, remove := lay("a/text", "")
	defer remove()
	var refuse pluginhook.Func = func(context.Context, *pluginhook.Call) error { return errors.New("not today") }
	err := (&pluginhook.Runner{Path: path, Exec: refuse}).Trigger(context.Background(), nil, nil, nil, "text")
	fmt.Println(strings.ReplaceAll(err.Error(), path, "/plugins"))
	// Output:
	// hook "/plugins/a/text" failed: not today
}

// A single hook can be run without a Runner.
func ExampleCall() {
	path, remove := lay("a/text", "#!/bin/sh\necho \"$V for $1:\"\ncat\n")
	defer remove()
	c := &pluginhook.Call{
		Hook: "text", Path: path + "/a/text", Dir: path + "/a",
		Args: []string{"you"}, Env: []string{"V=news", "PATH=" + os.Getenv("PATH")},
		Stdin: strings.NewReader("none\n"), Stdout: os.Stdout, Stderr: os.Stderr,
	}
	fmt.Println(pluginhook.OSExec(context.Background(), c))
	// Output:
	// news for you:
	// none
	// <nil>
}

func ExampleExitError() {
	path, remove := lay("a/text", "#!/bin/sh\nexit 3\n")
	defer remove()
	err := (&pluginhook.Runner{Path: path}).Trigger(context.Background(), nil, os.Stdout, os.Stderr, "text")
	var exit *pluginhook.ExitError
	if errors.As(err, &exit) {
		fmt.Println(exit.Code, filepath.Base(exit.Path))
	}
	fmt.Println(&pluginhook.ExitError{Path: "/plugins/a/text", Code: 139, Signal: syscall.SIGSEGV})
	// Output:
	// 3 text
	// hook "/plugins/a/text" was ended by signal SEGV (status 139)
}

func ExampleSignalError() {
	path, remove := lay("a/text", "#!/bin/sh\nkill -TERM $PPID; exec sleep 60\n")
	defer remove()
	ctx, stop := pluginhook.WithSignals(context.Background())
	defer stop()
	err := (&pluginhook.Runner{Path: path}).Trigger(ctx, nil, os.Stdout, os.Stderr, "text")
	var sig *pluginhook.SignalError
	fmt.Println(errors.As(err, &sig), sig)
	fmt.Println(strings.ReplaceAll(err.Error(), path, "/plugins"))
	// Output:
	// true ended by signal TERM
	// hook "/plugins/a/text" was ended by signal TERM (status 143)
}
