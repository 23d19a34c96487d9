package sshcmd

import (
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

const (
	appHelp = `{{.Name}} - {{.Usage}}

{{range .VisibleCommands}}  {{printf "%-25s %-26s" .Name .ArgsUsage}} {{.Usage}}
{{end}}
  -h, --help                                           Shows this text; after a command, its help
  -v, --version                                        Shows version
`
	commandHelp = `{{.Name}} {{.ArgsUsage}}
  {{.Usage}}
{{with .Description}}
{{.}}
{{end}}`
)

// App describes the command line, for documentation that is made of it.
func App() *cli.App { return (&tool{}).app() }

// app is the table of commands.
func (t *tool) app() *cli.App {
	commands := []*cli.Command{
		{
			Name: "create", ArgsUsage: "<USER> <COMMAND>",
			Usage:       "Creates a local system user and installs sshcommand skeleton",
			Description: createHelp,
			Action:      t.create,
		}, {
			Name: "acl-add", ArgsUsage: "<USER> <NAME> [<KEY_FILE>]",
			Usage:       "Adds named SSH key to user from STDIN or argument",
			Description: aclAddHelp,
			Action:      t.aclAdd,
		}, {
			Name: "acl-remove", ArgsUsage: "<USER> <NAME>",
			Usage:       "Removes SSH key by name",
			Description: aclRemoveHelp,
			Action:      t.aclRemove,
		}, {
			Name: "acl-remove-by-fingerprint", ArgsUsage: "<USER> <FINGERPRINT>",
			Usage:       "Removes SSH key by fingerprint",
			Description: aclRemoveByFingerprintHelp,
			Action:      t.aclRemoveByFingerprint,
		}, {
			Name: "list", ArgsUsage: "<USER> [<NAME>] [json]",
			Usage:       "Lists SSH keys by user, an optional name and an optional output format",
			Description: listHelp,
			Flags:       []cli.Flag{&cli.StringFlag{Name: "format", Usage: "text or json"}},
			Action:      t.list,
		}, {
			Name: "help", ArgsUsage: "[<COMMAND>]",
			Usage:  "Shows help information",
			Action: help,
		}, {
			Name:  "version",
			Usage: "Shows version",
			Action: func(c *cli.Context) error {
				cli.ShowVersion(c)
				return nil
			},
		},
	}
	for _, c := range commands {
		c.CustomHelpTemplate = commandHelp
		c.HideHelpCommand = true // or a user could not be called help
		c.OnUsageError = func(c *cli.Context, _ error, _ bool) error { return usageError(c) }
	}
	return &cli.App{
		Name:                  "sshcommand",
		Usage:                 "one command over SSH, and the keys that may run it",
		Version:               version(),
		Flags:                 []cli.Flag{cli.HelpFlag}, // not added by itself beside a help command of ours
		Commands:              commands,
		CustomAppHelpTemplate: appHelp,
		HideHelpCommand:       true,
		Reader:                t.stdin,
		Writer:                t.stdout,
		ErrWriter:             io.Discard, // errors come back and are printed by report
		ExitErrHandler:        func(*cli.Context, error) {},
		OnUsageError:          func(*cli.Context, error, bool) error { return errInvalidCommand },
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return errInvalidCommand
			}
			if err := cli.ShowAppHelp(c); err != nil {
				return err
			}
			return &textError{}
		},
	}
}

func help(c *cli.Context) error {
	switch c.NArg() {
	case 0:
		return cli.ShowAppHelp(c)
	case 1:
	default:
		return usageError(c)
	}
	name := strings.ToLower(c.Args().First())
	if c.App.Command(name) == nil {
		return errInvalidCommand
	}
	return cli.ShowCommandHelp(c.Lineage()[1], name)
}

// version is that of the module, as the go command wrote it into the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version
}

// operands returns the arguments of c if there are at least low and at most high of them and none of the first required
// ones is empty.
func operands(c *cli.Context, low, high, required int) ([]string, error) {
	args := c.Args().Slice()
	if len(args) < low || len(args) > high || slices.Contains(args[:required], "") {
		return nil, usageError(c)
	}
	return args, nil
}

// user returns the account of an existing user.
func (t *tool) user(name string) (account, error) {
	if err := checkUserName(name); err != nil {
		return account{}, err
	}
	a, err := t.lookup(name)
	if err != nil {
		return account{}, err
	}
	if a.home == "" {
		return account{}, fmt.Errorf("cannot use user %q: no home directory", name)
	}
	return a, nil
}
