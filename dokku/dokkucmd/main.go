// Package dokkucmd is the dokku command: a thin shell that sets up the environment, becomes the system user, and hands
// the verb to the plugin that knows it (toolchain-2014, sections 4.1 and 4.2). What a verb does is a plugin's business.
package dokkucmd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/dokku-go/dokku/dokku/internal/inproc"
	"github.com/dokku-go/dokku/pluginhook"
	core "github.com/dokku-go/dokku/plugins-core"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// ExecHooksEnv, when not empty, has the hooks of core plugins executed like all others.
const ExecHooksEnv = "DOKKU_EXEC_HOOKS"

// sshCommandEnv is the command line that an ssh client sent.
const sshCommandEnv = "SSH_ORIGINAL_COMMAND"

// Main runs the command line args, the program's name first, and returns the exit status.
func Main(args []string) int {
	if args[0] == core.EnvProgram {
		return core.RestoreEnv(args[1:], os.Environ(), os.Stderr)
	}
	if filepath.Base(args[0]) == core.BuildstepProgram {
		ctx, stop := pluginhook.WithSignals(context.Background())
		defer stop()
		return core.Buildstep(ctx, args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	}
	// Whatever the login's umask: nginx' workers, who are another user, look into directories of ours. What is secret
	// is written with a mode of its own.
	syscall.Umask(0o022)
	// Over ssh the words are the client's, and these are not for clients. In a container it is a variable of the app's.
	if _, overSSH := os.LookupEnv(sshCommandEnv); len(args) > 1 && (!overSSH || args[0] == core.StackProgram) {
		switch args[1] {
		case "core-hook":
			return coreHook(args[2:])
		case "core-stack":
			return core.Stack(args[2:], os.Stdout, os.Stderr)
		case "core-install":
			return coreInstall(args[2:])
		case "core-docker":
			return coreDocker(args[2:])
		}
	}
	return plug.Report(os.Stderr, "", run(args[1:]))
}

// catchPipe makes a write to somebody who has gone an error. Ignoring the signal would do that too, but every program
// started from here would inherit it, and shells rely on the signal.
func catchPipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

func run(words []string) error {
	// A pusher who goes away must not kill us in the middle of a line: writes fail, and the deploy ends in order.
	catchPipe()
	env, err := environment(os.Environ())
	if err != nil {
		return err
	}
	line, overSSH := settings.Lookup(env, sshCommandEnv)
	if overSSH {
		// Words as a shell would make them, and nothing of it expanded.
		if words, err = shellquote.Split(line); err != nil {
			return &plug.UsageError{Text: fmt.Sprintf("cannot read the command %q: %v", line, err)}
		}
		env = settings.Unset(env, sshCommandEnv)
		// Who acts is what sshcommand says, and nobody has been asked for leave yet, whatever sshd lets clients set.
		name := settings.Settings{Env: env}.Get("NAME", "default")
		env = settings.Set(settings.Unset(settings.Unset(env, plug.Authorised), plug.AuthorisedApp), "SSH_NAME", name)
		if len(words) > 0 && words[0] == "help" && slices.Contains(words, "--all") {
			return becomeVisible(words)
		}
	}
	typed := words
	words, env, err = globalFlags(words, env)
	if err != nil {
		return err
	}
	env, err = becomeUser(words, typed, env)
	if err != nil {
		return err
	}
	ctx, stop := pluginhook.WithSignals(context.Background())
	defer stop()
	runner, err := newRunner(env)
	if err != nil {
		return err
	}
	return dispatch(ctx, runner, words, overSSH)
}

// becomeVisible starts dokku anew with words in its own command line: plugins look for --all in that of the process
// above them, and over ssh ours has no words.
func becomeVisible(words []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(self, append([]string{"dokku"}, words...), settings.Unset(os.Environ(), sshCommandEnv))
}

// newRunner returns the runner of all hooks.
func newRunner(env []string) (*pluginhook.Runner, error) {
	s := settings.Settings{Env: env}
	limit, err := s.Seconds(settings.HookTimeout, 3600)
	if err != nil {
		return nil, err
	}
	r := &pluginhook.Runner{Path: s.PluginPath(), Env: env}
	if s.On(settings.Trace) {
		r.Trace = os.Stderr
	}
	r.Exec = hookExec(env, limit)
	return r, nil
}

func hookExec(env []string, limit time.Duration) pluginhook.Exec {
	if v, _ := settings.Lookup(env, ExecHooksEnv); v != "" {
		// Stubs are known all the same: a deploy, which is one hook of ours, may take longer than one of others.
		known := inproc.Exec(core.Lookup, pluginhook.OSExec, limit)
		return func(ctx context.Context, c *pluginhook.Call) error {
			if name, ok := plug.StubOf(c.Path); ok && core.Lookup(name) != nil {
				return pluginhook.OSExec(ctx, c)
			}
			return known(ctx, c)
		}
	}
	return inproc.Exec(core.Lookup, pluginhook.OSExec, limit)
}

// coreHook is what a stub executes: PLUGIN PATH ARG...; the hook is the base name of the path.
func coreHook(args []string) int {
	if len(args) < 2 {
		return plug.Report(os.Stderr, "", &plug.UsageError{Text: "cannot run a core hook: want PLUGIN PATH [ARG ...]"})
	}
	catchPipe()
	plugin := core.Lookup(args[0])
	dir, hook := splitPath(args[1])
	if plugin == nil || plugin.Func(hook) == nil {
		return plug.Report(os.Stderr, "", fmt.Errorf("cannot run %q: core has no hook %q of plugin %q; the file is of another version", args[1], hook, args[0]))
	}
	env := withoutCompat(os.Environ()) // a hook of a plugin may have fired this one
	runner, err := newRunner(env)
	if err != nil {
		return plug.Report(os.Stderr, "", err)
	}
	ctx, stop := pluginhook.WithSignals(context.Background())
	defer stop()
	call := &pluginhook.Call{Hook: hook, Path: args[1], Dir: dir, Args: args[2:], Env: env,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Runner: runner}
	return plug.Report(os.Stderr, call.Path, inproc.Run(ctx, plugin.Func(hook), call))
}

// coreDocker is what the docker command of hooks executes: AGE WORD...
func coreDocker(args []string) int {
	if len(args) == 0 {
		return plug.Report(os.Stderr, "", &plug.UsageError{Text: "cannot run docker: want AGE [WORD ...]"})
	}
	ctx, stop := pluginhook.WithSignals(context.Background())
	defer stop()
	return core.Docker(ctx, args[0], args[1:], os.Environ())
}

func splitPath(path string) (dir, base string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return ".", path
	}
	return path[:i], path[i+1:]
}

// lateFlags takes those flags of dokku out of the words that stand behind a core verb, where dokku of 0.3 has taken them,
// too. A verb with words of others behind it has them as long as there are only flags.
func lateFlags(r *pluginhook.Runner, words []string) (*pluginhook.Runner, []string) {
	_, cmd := core.Owner(words[0])
	own, rest := *r, words[:1:1]
	for i := 1; i < len(words); i++ {
		word := words[i]
		name, app, given := strings.Cut(word, "=")
		switch {
		case cmd.Raw && !strings.HasPrefix(word, "-"):
			return &own, append(rest, words[i:]...)
		case word == "--quiet":
			own.Env = settings.Set(own.Env, settings.Quiet, "1")
		case word == "--trace":
			own.Env, own.Trace = settings.Set(own.Env, settings.Trace, "1"), os.Stderr
		case word == "--force" && !strings.Contains(cmd.Args, word):
			own.Env = settings.Set(own.Env, settings.ForceDelete, "1")
		case word == "--rm", word == "--rm-container":
			own.Env = settings.Set(own.Env, "DOKKU_RM_CONTAINER", "1")
		case word == "--no-wait":
			own.Env = settings.Set(own.Env, settings.NoWait, "1")
		case name == "--app" && given:
			own.Env = settings.Set(own.Env, settings.AppName, app)
		case word == "--app" && i+1 < len(words):
			i++
			own.Env = settings.Set(own.Env, settings.AppName, words[i])
		default:
			rest = append(rest, word)
		}
	}
	return &own, rest
}

// globalFlagsEnv has all words of the command line that begin with two hyphens.
const globalFlagsEnv = "DOKKU_GLOBAL_FLAGS"

// globalFlags takes the flags before the verb and leaves them in the environment, where plugins look for them.
func globalFlags(words, env []string) (rest, newEnv []string, err error) {
	var seen []string
	for len(words) > 0 && strings.HasPrefix(words[0], "--") && words[0] != "--version" && words[0] != "--help" {
		flag, app, given := strings.Cut(words[0], "=")
		if given && flag != "--app" {
			flag = words[0]
		}
		words = words[1:]
		switch flag {
		case "--quiet":
			env = settings.Set(env, settings.Quiet, "1")
		case "--trace":
			env = settings.Set(env, settings.Trace, "1")
		case "--force":
			env = settings.Set(env, settings.ForceDelete, "1")
		case "--no-wait":
			env = settings.Set(env, settings.NoWait, "1")
		case "--rm", "--rm-container":
			env = settings.Set(env, "DOKKU_RM_CONTAINER", "1")
		case "--app":
			if !given && len(words) > 0 {
				app, words = words[0], words[1:]
			}
			if app == "" {
				return nil, nil, &plug.UsageError{Text: "cannot use --app: name the app behind it"}
			}
			env = settings.Set(env, settings.AppName, app)
		default:
			return nil, nil, &plug.UsageError{Text: fmt.Sprintf("cannot use the flag %q: it is unknown; see `dokku help`", flag)}
		}
		seen = append(seen, flag)
	}
	// Plugins look in one place for flags of the whole line, those behind the verb too (plugin-contract, section 1). The
	// commands that hooks start inherit those of the line that began it all, unless they have their own.
	for _, word := range words {
		if strings.HasPrefix(word, "--") {
			seen = append(seen, word)
		}
	}
	if _, inherited := settings.Lookup(env, globalFlagsEnv); len(seen) > 0 || !inherited {
		env = settings.Set(env, globalFlagsEnv, strings.Join(seen, " "))
	}
	return words, env, nil
}
