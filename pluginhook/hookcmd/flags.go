package hookcmd

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

const help = `pluginhook runs the hooks of plugins.

Usage: pluginhook [FLAGS] HOOK [ARG...]

The executable files PLUGIN_PATH/*/HOOK are run with the arguments, in the byte
order of the plugins' names, as a pipeline: the first one reads our stdin, each
one reads what the one before it printed, the last one writes to our stdout.

   -p, --parallel    start all hooks at once, joined by pipes
   -b, --broadcast   no pipeline: each hook writes to our stdout, stdin is empty
   --stdin           with --broadcast: the hooks share our stdin
   -k, --keep-going  with --broadcast: go on after a failure, report all of them
   --timeout D       end a hook that runs longer than D (30s, 5m, ...)
   --list            print the hooks that would run, in order, and run nothing
   -x, --trace       print each hook's command line on stderr before it starts
   -h, --help        print this text
   -v, --version     print the version

PLUGIN_PATH is the directory of the plugins. PLUGINHOOK_TRACE set to anything is
the same as --trace.

Exit status: 0 if all hooks ended with 0 or there is none; otherwise that of the
first that failed, which is 128+N after signal N, 126 if it cannot be executed,
127 if it or its interpreter is missing, 124 after --timeout. 1 if pluginhook
itself failed, 2 if it was called wrongly.
`

// parse reads the flags and calls run.
func parse(args []string, run func(*options) error) error {
	var o options
	app := &cli.App{
		Name:            "pluginhook",
		HideHelpCommand: true, // "help" may be a hook
		HideVersion:     true,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "parallel", Aliases: []string{"p"}, Destination: &o.parallel},
			&cli.BoolFlag{Name: "trace", Aliases: []string{"x"}, Destination: &o.trace},
			&cli.BoolFlag{Name: "broadcast", Aliases: []string{"b"}, Destination: &o.broadcast},
			&cli.BoolFlag{Name: "keep-going", Aliases: []string{"k"}, Destination: &o.keepGoing},
			&cli.BoolFlag{Name: "stdin", Destination: &o.stdin},
			&cli.BoolFlag{Name: "list", Destination: &o.list},
			&cli.DurationFlag{Name: "timeout", Destination: &o.timeout},
			&cli.BoolFlag{Name: "version", Aliases: []string{"v"}},
		},
		CustomAppHelpTemplate: help,

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
			return run(&o)
		},
	}
	return app.Run(args)
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
