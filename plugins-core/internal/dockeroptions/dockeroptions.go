// Package dockeroptions reads and edits the options for docker that are kept for an app: files DOCKER_OPTIONS_BUILD,
// DOCKER_OPTIONS_DEPLOY and DOCKER_OPTIONS_RUN, one option with its value a line, sorted, each once (toolchain-2014,
// section 14). Those of one process type are in DOCKER_OPTIONS_PROCESSES, behind the type. It also knows which of them
// give power over the host.
package dockeroptions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// The phases that have options.
const (
	Build  = "build"
	Deploy = "deploy"
	Run    = "run"
)

// Phases lists them in order.
func Phases() []string { return []string{Build, Deploy, Run} }

// ParsePhases reads a list such as "build,deploy".
func ParsePhases(text string) ([]string, error) {
	var out []string
	for phase := range strings.SplitSeq(text, ",") {
		if !slices.Contains(Phases(), phase) {
			return nil, fmt.Errorf("cannot use %q as a phase: the phases are %s, several with commas between them", phase, strings.Join(Phases(), ", "))
		}
		if !slices.Contains(out, phase) {
			out = append(out, phase)
		}
	}
	return out, nil
}

// Check refuses what is no option with its value: it would stand where docker expects the image or the command.
func Check(option string) error {
	bad := func(why string) error { return fmt.Errorf("cannot use %q as an option for docker: %s", option, why) }
	if strings.ContainsAny(option, "\x00\r\n") {
		return bad("it has more than one line")
	}
	words, err := shellquote.Split(option)
	switch {
	case err != nil:
		return bad("its quotes are not closed")
	case len(words) == 0:
		return bad("it is empty")
	case !strings.HasPrefix(words[0], "-") || words[0] == "-" || words[0] == "--":
		return bad("an option begins with a hyphen")
	}
	return nil
}

// ProcessFile holds the options of process types, a line TYPE OPTION each.
const ProcessFile = "DOCKER_OPTIONS_PROCESSES"

// Scope is what options are for: a phase, or one process type in the phase deploy.
type Scope struct{ Phase, Process string }

// In returns the scopes of phases, for all processes.
func In(phases ...string) []Scope {
	out := make([]Scope, len(phases))
	for i, phase := range phases {
		out[i] = Scope{Phase: phase}
	}
	return out
}

func (s Scope) String() string {
	if s.Process == "" {
		return s.Phase
	}
	return s.Phase + "." + s.Process
}

func (s Scope) file() string {
	if s.Process != "" {
		return ProcessFile
	}
	return "DOCKER_OPTIONS_" + strings.ToUpper(s.Phase)
}

// Read returns the app's options in a scope.
func Read(a app.App, s Scope) ([]string, error) {
	all, err := lines(a, s.file())
	if s.Process == "" {
		return all, err
	}
	var out []string
	for _, line := range all {
		if kind, option, _ := strings.Cut(line, " "); kind == s.Process && option != "" {
			out = append(out, strings.TrimSpace(option))
		}
	}
	return out, err
}

// Processes lists the process types that have options of their own.
func Processes(a app.App) ([]string, error) {
	all, err := lines(a, ProcessFile)
	var out []string
	for _, line := range all {
		if kind, _, _ := strings.Cut(line, " "); !slices.Contains(out, kind) && !strings.HasPrefix(kind, "#") {
			out = append(out, kind)
		}
	}
	return out, err
}

func lines(a app.App, file string) ([]string, error) {
	data, err := os.ReadFile(a.Path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the docker options of %q: %w", a.Name, err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out, nil
}

// Edit changes the options of some scopes, all or, when f ends with an error, none. It waits for others who change
// settings, and not for a deploy.
func Edit(ctx context.Context, a app.App, scopes []Scope, f func(old []string) ([]string, error)) error {
	unlock, err := a.LockFile(ctx, ".env.lock")
	if err != nil {
		return err
	}
	defer unlock()
	next := map[Scope][]string{}
	for _, s := range scopes {
		old, err := Read(a, s)
		if err != nil {
			return err
		}
		options, err := f(slices.Clone(old))
		if err != nil {
			return err
		}
		slices.Sort(options)
		if options = slices.Compact(options); !slices.Equal(old, options) {
			next[s] = options
		}
	}
	for _, s := range scopes {
		if options, changed := next[s]; changed {
			if err := write(a, s, options); err != nil {
				return err
			}
		}
	}
	return nil
}

func write(a app.App, s Scope, options []string) error {
	if s.Process != "" {
		all, err := lines(a, s.file())
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(line string) bool { return strings.HasPrefix(line+" ", s.Process+" ") })
		for _, option := range options {
			all = append(all, s.Process+" "+option)
		}
		slices.Sort(all)
		options = all
	}
	if len(options) == 0 {
		return record.Remove(a.Path(s.file()))
	}
	return record.Write(a.Path(s.file()), []byte(strings.Join(append(options, ""), "\n")), 0o644)
}
