package hookcmd

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"
)

const (
	about = `The executable files PLUGIN_PATH/*/HOOK are run with the arguments, in the byte
order of the plugins' names, as a pipeline: the first one reads our stdin, each
one reads what the one before it printed, the last one writes to our stdout.`

	environment = `PLUGIN_PATH is the directory of the plugins. PLUGINHOOK_TRACE set to anything is
the same as --trace.`

	statuses = `Exit status: 0 if all hooks ended with 0 or there is none; otherwise that of the
first that failed, which is 128+N after signal N, 126 if it cannot be executed,
127 if it or its interpreter is missing, 124 after --timeout. 1 if pluginhook
itself failed, 2 if it was called wrongly.`
)

// App describes the command line, for documentation that is made of it.
func App() *cli.App { return app(&options{}, func(*options) error { return nil }) }

// parse reads the flags and calls run.
func parse(args []string, run func(*options) error) error { return app(&options{}, run).Run(args) }

func app(o *options, run func(*options) error) *cli.App {
	a := &cli.App{
		Name:            "pluginhook",
		Usage:           "runs the hooks of plugins",
		UsageText:       "pluginhook [FLAGS] HOOK [ARG...]",
		Description:     about + "\n\n" + environment + "\n\n" + statuses,
		HideHelp:        true, // --help is one of ours
		HideHelpCommand: true, // "help" may be a hook
		HideVersion:     true,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "parallel", Aliases: []string{"p"}, Destination: &o.parallel, Usage: "start all hooks at once, joined by pipes"},
			&cli.BoolFlag{Name: "broadcast", Aliases: []string{"b"}, Destination: &o.broadcast, Usage: "no pipeline: each hook writes to our stdout, stdin is empty"},
			&cli.BoolFlag{Name: "stdin", Destination: &o.stdin, Usage: "with --broadcast: the hooks share our stdin"},
			&cli.BoolFlag{Name: "keep-going", Aliases: []string{"k"}, Destination: &o.keepGoing, Usage: "with --broadcast: go on after a failure, report all of them"},
			&cli.DurationFlag{Name: "timeout", Destination: &o.timeout, Usage: "end a hook that runs longer than `D` (30s, 5m, ...)"},
			&cli.BoolFlag{Name: "list", Destination: &o.list, Usage: "print the hooks that would run, in order, and run nothing"},
			&cli.BoolFlag{Name: "trace", Aliases: []string{"x"}, Destination: &o.trace, Usage: "print each hook's command line on stderr before it starts"},
			&cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "print this text"},
			&cli.BoolFlag{Name: "version", Aliases: []string{"v"}, Usage: "print the version"},
		},
		Writer:         os.Stdout,
		ErrWriter:      io.Discard,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return &usageError{err.Error()} },
		Action: func(c *cli.Context) error {
			if c.Bool("version") {
				if _, err := fmt.Println("pluginhook", version()); err != nil {
					return fmt.Errorf("cannot write the version: %w", err)
				}
				return nil
			}
			o.args = c.Args().Slice()
			if err := o.check(c.IsSet("timeout")); err != nil {
				return err
			}
			return run(o)
		},
	}
	a.CustomAppHelpTemplate = help(a)
	return a
}

// help is the text that --help prints.
func help(a *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s.\n\nUsage: %s\n\n%s\n\n", a.Name, a.Usage, a.UsageText, about)
	for _, f := range a.Flags {
		names := f.Names()
		name := "--" + names[0]
		if len(names) > 1 {
			name = "-" + names[1] + ", " + name
		}
		text := ""
		if doc, ok := f.(cli.DocGenerationFlag); ok {
			text = doc.GetUsage()
		}
		// The word in backquotes is the flag's value.
		if before, rest, ok := strings.Cut(text, "`"); ok {
			value, after, _ := strings.Cut(rest, "`")
			name, text = name+" "+value, before+value+after
		}
		fmt.Fprintf(&b, "   %-17s %s\n", name, text)
	}
	fmt.Fprintf(&b, "\n%s\n\n%s\n", environment, statuses)
	return b.String()
}

// check refuses flags that mean nothing together.
func (o *options) check(timeout bool) error {
	switch {
	case o.broadcast && o.parallel:
		return &usageError{"cannot use --broadcast with --parallel"}
	case o.keepGoing && !o.broadcast:
		return &usageError{"cannot use --keep-going without --broadcast"}
	case o.stdin && !o.broadcast:
		return &usageError{"cannot use --stdin without --broadcast"}
	case timeout && o.timeout <= 0:
		return &usageError{fmt.Sprintf("cannot use --timeout %v: it has to be longer than 0", o.timeout)}
	}
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
