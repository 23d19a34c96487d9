package docs_test

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/urfave/cli/v2"

	"github.com/dokku-go/dokku/pluginhook/hookcmd"
	core "github.com/dokku-go/dokku/plugins-core"
	"github.com/dokku-go/dokku/sshcommand/sshcmd"
)

// commandLines are the command lines that have a page of reference and a manual page, both made of the tables that the
// programs themselves use.
func commandLines() []*cli.App { return []*cli.App{dokkuLine(), hookcmd.App(), sshcmd.App()} }

const dokkuAbout = `A command is a verb of a plugin. dokku sets up the environment, becomes the system user, and hands the words to the
plugin that knows the verb. Over SSH the words are taken apart as a shell does it, and nothing in them is expanded.

Flags come before the command, or behind it, but for words that are a program's or a plugin's. Exit status: 0; 1 if it
could not be done; 2 if it was called wrongly; the status of a hook that failed, or of the program that the command ran.`

// dokkuLine makes the table of the core plugins' verbs, without those that only programs use.
func dokkuLine() *cli.App {
	app := &cli.App{
		Name: "dokku", Usage: "builds, runs and serves apps that are pushed by git",
		UsageText: "dokku [FLAGS] COMMAND [ARG ...]", Description: dokkuAbout,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "app", Usage: "work on `APP`, in place of naming it behind the command"},
			&cli.BoolFlag{Name: "force", Usage: "do not ask before destroying an app"},
			&cli.BoolFlag{Name: "no-wait", Usage: "an error instead of a place in line when the app is busy: sets DOKKU_NO_WAIT"},
			&cli.BoolFlag{Name: "quiet", Usage: "sets DOKKU_QUIET_OUTPUT, which plugins may heed"},
			&cli.BoolFlag{Name: "rm", Aliases: []string{"rm-container"}, Usage: "taken for old scripts; run always removes its container"},
			&cli.BoolFlag{Name: "trace", Usage: "print each hook's command line on stderr before it starts"},
		},
	}
	for _, p := range core.All() {
		for _, c := range p.Commands {
			if c.Help == "" {
				continue
			}
			text := c.Help
			if c.Root {
				text += " (as root)"
			}
			app.Commands = append(app.Commands, &cli.Command{Name: c.Name, Aliases: c.Aliases, ArgsUsage: c.Args, Usage: text, Category: p.Name})
		}
	}
	app.Commands = append(app.Commands, &cli.Command{Name: "help", Aliases: []string{"-h", "--help"}, Usage: "Print the list of commands", Category: "dokku itself"})
	return app
}

// TestReference makes the pages of reference and the manual pages.
func TestReference(t *testing.T) {
	for _, app := range commandLines() {
		page := "reference/" + app.Name + ".md"
		golden(t, page, between(t, read(t, page), func(string) string { return "\n" + reference(app) + "\n" }))
		golden(t, "man/"+app.Name+".1", string(md2man.Render([]byte(manual(app)))))
	}
}

// flagNames returns a flag as it is typed, the short name first, and what it is for.
func flagNames(f cli.Flag) (names []string, value, text string) {
	for _, name := range f.Names() {
		dashes := "--"
		if len(name) == 1 {
			dashes = "-"
		}
		names = append(names, dashes+name)
	}
	slices.SortFunc(names, func(a, b string) int { return len(a) - len(b) })
	if doc, ok := f.(cli.DocGenerationFlag); ok {
		text = doc.GetUsage()
	}
	if before, rest, ok := strings.Cut(text, "`"); ok {
		var after string
		value, after, _ = strings.Cut(rest, "`")
		text = before + value + after
	}
	return names, value, text
}

// sections divides the commands by category, in the order in which the categories come.
func sections(app *cli.App) (names []string, commands map[string][]*cli.Command) {
	commands = map[string][]*cli.Command{}
	for _, c := range app.Commands {
		if !slices.Contains(names, c.Category) {
			names = append(names, c.Category)
		}
		commands[c.Category] = append(commands[c.Category], c)
	}
	return names, commands
}

// reference is the page of a command line.
func reference(app *cli.App) string {
	var b strings.Builder
	usage := app.UsageText
	if usage == "" {
		usage = app.Name + " COMMAND [ARG ...]"
	}
	fmt.Fprintf(&b, "`%s`\n", usage)
	if app.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", escape(app.Description))
	}
	if len(app.Flags) > 0 && app.Flags[0] != cli.HelpFlag {
		b.WriteString("\n## Flags\n\n" + row("flag", "does") + row("---", "---"))
		for _, f := range app.Flags {
			names, value, text := flagNames(f)
			b.WriteString(row("`"+strings.TrimSpace(strings.Join(names, "`, `")+" "+value)+"`", text))
		}
	}
	categories, commands := sections(app)
	for _, category := range categories {
		if category == "" {
			category = "Commands"
		}
		fmt.Fprintf(&b, "\n## %s\n\n", category)
		b.WriteString(row("command", "does") + row("---", "---"))
		list := commands[category]
		if list == nil {
			list = commands[""]
		}
		for _, c := range list {
			text := c.Usage
			if len(c.Aliases) > 0 {
				text += "; also `" + strings.Join(c.Aliases, "`, `") + "`"
			}
			b.WriteString(row("`"+line(c)+"`", text))
		}
	}
	for _, c := range app.Commands {
		if c.Description != "" {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n", c.Name, escape(unindent(c.Description)))
		}
	}
	return b.String()
}

func line(c *cli.Command) string { return strings.TrimSpace(c.Name + " " + c.ArgsUsage) }

func unindent(text string) string {
	var out []string
	for l := range strings.SplitSeq(text, "\n") {
		out = append(out, strings.TrimSpace(l))
	}
	return strings.Join(out, "\n")
}

// escape keeps stars and angle brackets from being taken for markup.
func escape(text string) string { return strings.NewReplacer("*", `\*`, "<", `\<`).Replace(text) }

// manual is the manual page of a command line, in the form that md2man reads.
func manual(app *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%% %s 1\n\n# NAME\n\n%s - %s\n\n# SYNOPSIS\n\n", strings.ToUpper(app.Name), app.Name, app.Usage)
	if app.UsageText != "" {
		fmt.Fprintf(&b, "%s\n", bold(app.UsageText))
	} else {
		for _, c := range app.Commands {
			fmt.Fprintf(&b, "%s\n\n", bold(app.Name+" "+line(c)))
		}
	}
	if app.Description != "" {
		fmt.Fprintf(&b, "\n# DESCRIPTION\n\n%s\n", escape(app.Description))
	}
	if len(app.Flags) > 0 && app.Flags[0] != cli.HelpFlag {
		b.WriteString("\n# OPTIONS\n\n")
		for _, f := range app.Flags {
			names, value, text := flagNames(f)
			fmt.Fprintf(&b, "%s\n:   %s\n\n", strings.TrimSpace("**"+strings.Join(names, "**, **")+"** "+value), text)
		}
	}
	if len(app.Commands) > 0 {
		b.WriteString("\n# COMMANDS\n")
	}
	categories, commands := sections(app)
	for _, category := range categories {
		if category != "" {
			fmt.Fprintf(&b, "\n## %s\n", category)
		}
		b.WriteString("\n")
		for _, c := range commands[category] {
			text := c.Usage
			if len(c.Aliases) > 0 {
				text += "; also " + strings.Join(c.Aliases, ", ")
			}
			text += "."
			if c.Description != "" {
				text += " " + strings.ReplaceAll(escape(unindent(c.Description)), "\n", " ")
			}
			fmt.Fprintf(&b, "%s\n:   %s\n\n", bold(line(c)), text)
		}
	}
	b.WriteString("\n# SEE ALSO\n\n")
	var others []string
	for _, name := range []string{"dokku", "pluginhook", "sshcommand"} {
		if name != app.Name {
			others = append(others, "**"+name+"**(1)")
		}
	}
	b.WriteString(strings.Join(others, ", ") + "\n")
	return b.String()
}

// bold sets the words in front of the arguments.
func bold(usage string) string {
	i := strings.IndexAny(usage, "[<ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	if i < 0 {
		return "**" + usage + "**"
	}
	return "**" + strings.TrimSpace(usage[:i]) + "** " + escape(usage[i:])
}

// TestGlobalFlags compares the flags that dokku's page tells of with those that dokku takes.
func TestGlobalFlags(t *testing.T) {
	var want, got []string
	for _, file := range sources(t, false, "dokku/dokkucmd") {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Name.Name != "globalFlags" {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if clause, ok := n.(*ast.CaseClause); ok {
					for _, e := range clause.List {
						if flag, ok := text(e); ok {
							want = append(want, flag)
						}
					}
				}
				return true
			})
		}
	}
	for _, f := range dokkuLine().Flags {
		names, _, _ := flagNames(f)
		got = append(got, names...)
	}
	same(t, "reference/dokku.md", got, want)
}
