// Package plug is what a core plugin is made of: a name, hooks written in Go, and verbs.
//
// A verb is one row of a table; the plugin's `commands` hook and its lines of `dokku help` are derived from it. A hook
// is a [pluginhook.Func]. Both get a [C], which is the call with what core code needs around it.
package plug

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// NotMine is the status with which a plugin's `commands` says that a verb is not its own.
const NotMine = 10

// The ages of plugins: those of 2014 have no plugin.toml (docs/compatibility.md).
const (
	Age2014  = "2014"
	AgeToday = "today"
)

// Plugin is one core plugin.
type Plugin struct {
	Name        string // its directory
	Description string
	Hooks       map[string]Hook
	Commands    []Command
}

// Hook is a hook written in Go.
type Hook func(ctx context.Context, c *C) error

// Command is one verb.
type Command struct {
	Name string
	Args string // as shown by help
	Help string // "": hidden
	Root bool   // runs as root, not as the system user
	// Internal verbs are for dokku's own processes: nobody can call them over ssh, and no plugin is asked for leave.
	Internal bool
	// Raw verbs have words of others behind them, such as a program's: flags of dokku stand before these.
	Raw bool
	// Looks is for verbs that look at things as they are: what a crash has left is not mended before.
	Looks   bool
	Aliases []string
	// Same is the verb that this one is another way to say; leave is asked for that one.
	Same string
	// AppName turns the first word into the bare name of an app, for verbs that take more spellings of it than one.
	AppName func(s settings.Settings, word string) string
	Run     Hook
}

// Stub is the text of the file that stands for a hook written in Go: any runner can execute it.
func Stub(plugin string) string { return "#!/usr/bin/env -S dokku core-hook " + plugin + "\n" }

// Func returns the hook of that name, or nil.
func (p *Plugin) Func(hook string) pluginhook.Func {
	if hook == "commands" && len(p.Commands) > 0 {
		return func(ctx context.Context, call *pluginhook.Call) error { return p.dispatch(ctx, &C{Call: call}) }
	}
	fn := p.Hooks[hook]
	if fn == nil {
		return nil
	}
	return func(ctx context.Context, call *pluginhook.Call) error { return fn(ctx, &C{Call: call}) }
}

// HookNames lists the plugin's hooks in order.
func (p *Plugin) HookNames() []string {
	names := make([]string, 0, len(p.Hooks)+1)
	for name := range p.Hooks {
		names = append(names, name)
	}
	if len(p.Commands) > 0 {
		names = append(names, "commands")
	}
	slices.Sort(names)
	return names
}

// Command returns the verb of that name, or nil.
func (p *Plugin) Command(verb string) *Command {
	for i := range p.Commands {
		if c := &p.Commands[i]; c.Name == verb || slices.Contains(c.Aliases, verb) {
			return c
		}
	}
	return nil
}

// dispatch is the `commands` hook: the first argument is the verb.
func (p *Plugin) dispatch(ctx context.Context, c *C) error {
	if len(c.Args) == 0 {
		return &pluginhook.ExitError{Path: c.Path, Code: NotMine}
	}
	verb := c.Args[0]
	if verb == "help" {
		return p.help(c)
	}
	if name, ok := strings.CutSuffix(verb, ":help"); ok && name == p.Name {
		return p.help(c)
	}
	cmd := p.Command(verb)
	if cmd == nil {
		return &pluginhook.ExitError{Path: c.Path, Code: NotMine}
	}
	call := *c.Call
	call.Args = c.Args[1:]
	if len(call.Args) == 1 && (call.Args[0] == "--help" || call.Args[0] == "-h") && cmd.Help != "" {
		fmt.Fprint(c.Stdout, HelpLine(*cmd))
		return nil
	}
	run := &C{Call: &call, verb: cmd}
	recoverApp(ctx, run)
	return cmd.Run(ctx, run)
}

// recoverApp mends what a crash has left of the app that the verb is about, before the verb looks at it. Where that
// cannot be done, with no engine say, it is told, and the verb does what it can.
func recoverApp(ctx context.Context, c *C) {
	if c.verb.Internal || c.verb.Looks || !strings.Contains(c.verb.Args, "APP") {
		return
	}
	i := c.verb.appIndex(c.Args)
	if i < 0 {
		return
	}
	a, err := app.Find(c.Settings().Root(), c.Args[i])
	if err != nil || !a.Abandoned() || a.State(app.DestroyingFile) != "" {
		return
	}
	quiet := c.WithOutput(c.Stderr, c.Stderr) // stdout is the verb's
	if err := quiet.Lock(ctx, a, func(*C) error { return nil }); err != nil {
		c.Warn("cannot mend what a crash has left of %s: %v", a.Name, err)
	}
}

// help copies the lines of the plugins before and adds its own, as every `commands help` does.
func (p *Plugin) help(c *C) error {
	if c.Stdin != nil {
		if _, err := io.Copy(c.Stdout, c.Stdin); err != nil {
			return err
		}
	}
	for _, cmd := range p.Commands {
		if cmd.Help != "" {
			fmt.Fprint(c.Stdout, HelpLine(cmd))
		}
	}
	return nil
}

// HelpLine is the verb's line of help: four blanks, the verb with its arguments in a field of 48, the text.
func HelpLine(cmd Command) string {
	return fmt.Sprintf("    %-47s %s\n", strings.TrimSpace(cmd.Name+" "+cmd.Args), cmd.Help)
}
