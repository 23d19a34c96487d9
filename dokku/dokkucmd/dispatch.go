package dokkucmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/dokku-go/dokku/pluginhook"
	core "github.com/dokku-go/dokku/plugins-core"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// dispatch hands the words to the plugin that knows the verb.
//
// A verb of a core plugin goes straight to that plugin, as long as its file is there: however many other plugins there
// are, it costs one look at one file. Every other verb is shown to all plugins in order, as in 2014: status 10 means
// "not mine", 0 "done, or not mine", anything else ends it.
func dispatch(ctx context.Context, r *pluginhook.Runner, words []string, overSSH bool) error {
	if len(words) == 0 || words[0] == "help" || words[0] == "--help" || words[0] == "-h" {
		return help(ctx, r, words)
	}
	hook, ours := coreCommand(r, words)
	if ours {
		r, words = lateFlags(r, words)
		var err error
		if r, words, err = putApp(r, words); err != nil {
			return err
		}
		_, cmd := core.Owner(words[0])
		words = append(words[:1], cmd.Plain(settings.Settings{Env: r.Env}, words[1:])...)
	}
	if internal := isInternal(words[0]); internal && overSSH {
		return unknown(words[0])
	} else if !internal {
		asked := words
		if ours {
			_, cmd := core.Owner(words[0])
			asked = cmd.Asked(words[1:])
		}
		var err error
		if r, err = authorise(ctx, r, asked); err != nil {
			return err
		}
	}
	if ours {
		if err := call(ctx, r, hook, words, os.Stdin, os.Stdout); err != nil {
			return quiet(err)
		}
		return addTo(ctx, r, words)
	}
	if h, ok := subcommand(r.Path, words[0]); ok {
		return quiet(call(ctx, r, h, words, os.Stdin, os.Stdout))
	}
	return askAll(ctx, r, words)
}

// subcommand returns the file with which a plugin answers that one verb: NAME/subcommands/SUB for the verb NAME:SUB,
// NAME/subcommands/default or NAME/subcommands/NAME for the verb NAME (plugin-contract, section 1).
func subcommand(path, verb string) (h pluginhook.Hook, ok bool) {
	name, sub, found := strings.Cut(verb, ":")
	files := []string{sub}
	if !found {
		files = []string{"default", name}
	}
	for _, file := range files {
		if name == "" || file == "" || strings.HasPrefix(name, ".") || strings.HasPrefix(file, ".") || strings.ContainsAny(verb, "/\x00") {
			return h, false
		}
		dir := filepath.Join(path, name)
		h = pluginhook.Hook{Plugin: name, Name: file, Dir: dir, Path: filepath.Join(dir, "subcommands", file)}
		if st, err := os.Stat(h.Path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return h, true
		}
	}
	return h, false
}

// putApp puts the app that --app named where a core verb expects one, so that the words that plugins are asked about
// are the words that run. What the verb's hooks start is about whatever app they say: they do not inherit it.
func putApp(r *pluginhook.Runner, words []string) (*pluginhook.Runner, []string, error) {
	name := settings.Settings{Env: r.Env}.Get(settings.AppName, "")
	if name == "" {
		return r, words, nil
	}
	if _, cmd := core.Owner(words[0]); !strings.Contains(cmd.Args, "APP") {
		return nil, nil, &plug.UsageError{Text: fmt.Sprintf("cannot use --app with %s: it is not about an app", words[0])}
	}
	own := *r
	own.Env = settings.Unset(r.Env, settings.AppName)
	return &own, slices.Insert(slices.Clone(words), 1, name), nil
}

func isInternal(verb string) bool {
	_, cmd := core.Owner(verb)
	return cmd != nil && cmd.Internal
}

// coreCommand returns the file of the core plugin that has the verb, if it is there, and puts the verb's own name in
// the place of an alias.
func coreCommand(r *pluginhook.Runner, words []string) (h pluginhook.Hook, ok bool) {
	p, cmd := core.Owner(words[0])
	if p == nil {
		return h, false
	}
	path := filepath.Join(filepath.Clean(r.Path), p.Name, "commands")
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return h, false
	}
	words[0] = cmd.Name
	return pluginhook.Hook{Plugin: p.Name, Name: "commands", Dir: filepath.Dir(path), Path: path}, true
}

// askAll shows the words to every plugin.
func askAll(ctx context.Context, r *pluginhook.Runner, words []string) error {
	hooks, err := pluginhook.Find(r.Path, "commands")
	if err != nil {
		return err
	}
	handled := false
	for _, h := range hooks {
		err := call(ctx, r, h, words, os.Stdin, os.Stdout)
		var exit *pluginhook.ExitError
		switch {
		case errors.As(err, &exit) && exit.Code == plug.NotMine:
		case err != nil:
			return quiet(err)
		default:
			handled = true // or not: plugins of 2014 say 0 to verbs that are not theirs
		}
	}
	if handled {
		return nil
	}
	return unknown(words[0])
}

// sharedVerbs are the verbs of core to which plugins of 2014 added lines of their own: every plugin saw every verb then.
const sharedVerbs = " config delete logs url version "

// addTo shows a verb that core has answered to the plugins of 2014 that have it too. Whether they do is read off their
// text, so that none is started in vain.
func addTo(ctx context.Context, r *pluginhook.Runner, words []string) error {
	if !strings.Contains(sharedVerbs, " "+words[0]+" ") {
		return nil
	}
	hooks, err := pluginhook.Find(r.Path, "commands")
	if err != nil {
		return err
	}
	for _, h := range hooks {
		if _, err := os.Stat(filepath.Join(h.Dir, "plugin.toml")); err == nil {
			continue
		}
		text, err := os.ReadFile(h.Path)
		if err != nil || !bytes.Contains(text, []byte(" "+words[0]+")")) {
			continue
		}
		var exit *pluginhook.ExitError
		if err := call(ctx, r, h, words, nil, os.Stdout); err != nil && !(errors.As(err, &exit) && exit.Code == plug.NotMine) {
			return quiet(err)
		}
	}
	return nil
}

// call executes one `commands` file. Nothing stands between dokku and the file: plugins look at the command line of
// the process above them.
func call(ctx context.Context, r *pluginhook.Runner, h pluginhook.Hook, words []string, stdin *os.File, stdout interface{ Write([]byte) (int, error) }) error {
	c := &pluginhook.Call{Hook: h.Name, Path: h.Path, Dir: h.Dir, Args: words, Env: r.Env, Stdout: stdout, Stderr: os.Stderr, Runner: r}
	if stdin != nil {
		c.Stdin = stdin
	}
	if r.Trace != nil {
		fmt.Fprintln(r.Trace, "+ "+strings.Join(append([]string{h.Path}, words...), " "))
	}
	return r.Exec(ctx, c)
}

// quiet makes of a command's own status one that nothing needs to be said of: the command has spoken.
func quiet(err error) error {
	var exit *pluginhook.ExitError
	if errors.As(err, &exit) && exit.Err == nil && exit.Signal == 0 {
		return &pluginhook.ExitError{Code: exit.Code}
	}
	return err
}

// authorise asks the plugins whether whoever acts may run these words, and returns the runner for what they start. It
// asks about the words that will run, whatever way they were spelled. A command that a hook starts is part of one that
// was asked about, and needs no leave of its own.
func authorise(ctx context.Context, r *pluginhook.Runner, words []string) (*pluginhook.Runner, error) {
	hooks, err := pluginhook.Find(r.Path, "user-auth")
	if err != nil || len(hooks) == 0 {
		return r, err
	}
	s := settings.Settings{Env: r.Env}
	own := *r
	if s.Get(plug.Authorised, "") != "" {
		own.Env = settings.Unset(settings.Set(r.Env, plug.Authorised, plug.AuthorisedBefore), plug.AuthorisedApp)
		return &own, nil
	}
	args := append([]string{s.Get("SSH_USER", ""), s.Get("SSH_NAME", "")}, words...)
	if err := r.Broadcast(ctx, nil, os.Stdout, os.Stderr, "user-auth", args...); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot run %s: Access denied", words[0]), err)
	}
	target := ""
	if len(words) > 1 {
		target = words[1]
	}
	own.Env = settings.Set(settings.Set(r.Env, plug.Authorised, plug.AuthorisedNow), plug.AuthorisedApp, target)
	return &own, nil
}

// unknown is the error for a verb that no plugin knows, with the verbs that look like it.
func unknown(verb string) error {
	if p, cmd := core.Owner(verb); cmd != nil && !cmd.Internal {
		return fmt.Errorf("`%s` is not a dokku command: the core plugin %q is not enabled here; if none is, run as root: dokku core-install", verb, p.Name)
	}
	text := fmt.Sprintf("`%s` is not a dokku command.", verb)
	if near := nearest(verb); near != "" {
		text += fmt.Sprintf("\nDid you mean `%s`?", near)
	}
	return errors.New(text + "\nSee `dokku help` for a list of available commands.")
}

// nearest returns the core verb with the fewest changes to verb, "" when none is near.
func nearest(verb string) string {
	best, fewest := "", max(2, len(verb)/3)+1
	for _, p := range core.All() {
		for _, cmd := range p.Commands {
			if cmd.Help == "" {
				continue
			}
			if n := distance(verb, cmd.Name); n < fewest && n < len(verb) {
				best, fewest = cmd.Name, n
			}
		}
	}
	return best
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// help prints the lines of all plugins, sorted. Every plugin is asked by itself, with nothing on stdin, which suits
// those that copy their stdin first (2014) and those that never read it (today's); none can swallow another's lines.
func help(ctx context.Context, r *pluginhook.Runner, words []string) error {
	hooks, err := pluginhook.Find(r.Path, "commands")
	if err != nil {
		return err
	}
	args := []string{"help"}
	if len(words) > 1 {
		args = append(args, words[1:]...)
	}
	outputs := make([]bytes.Buffer, len(hooks))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for i, h := range hooks {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			var exit *pluginhook.ExitError
			if err := call(ctx, r, h, args, nil, &outputs[i]); err != nil && (!errors.As(err, &exit) || exit.Code != plug.NotMine) {
				fmt.Fprintf(os.Stderr, " !     cannot show the help of plugin %s: %v\n", h.Plugin, err)
			}
		})
	}
	wg.Wait()
	var lines []string
	for i := range outputs {
		for line := range strings.Lines(outputs[i].String()) {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	lines = append(lines, strings.TrimRight(plug.HelpLine(plug.Command{Name: "help", Help: "Print the list of commands"}), "\n"))
	slices.Sort(lines)
	fmt.Printf("Usage: dokku [--quiet|--trace|--force|--no-wait|--app APP] COMMAND <app> [command-specific-options]\n\nCommands:\n\n%s\n", strings.Join(lines, "\n"))
	return nil
}
