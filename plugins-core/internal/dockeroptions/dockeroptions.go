// Package dockeroptions reads and edits the options for docker that are kept for an app: files DOCKER_OPTIONS_BUILD,
// DOCKER_OPTIONS_DEPLOY and DOCKER_OPTIONS_RUN, one option with its value a line, sorted, each once (toolchain-2014,
// section 14). It also knows which of them give power over the host.
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

func file(phase string) string { return "DOCKER_OPTIONS_" + strings.ToUpper(phase) }

// Read returns the app's options in a phase.
func Read(a app.App, phase string) ([]string, error) {
	data, err := os.ReadFile(a.Path(file(phase)))
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

// Edit changes the options of some phases, all or, when f ends with an error, none. It waits for others who change
// settings, and not for a deploy.
func Edit(ctx context.Context, a app.App, phases []string, f func(phase string, old []string) ([]string, error)) error {
	unlock, err := a.LockFile(ctx, ".env.lock")
	if err != nil {
		return err
	}
	defer unlock()
	next := map[string][]string{}
	for _, phase := range phases {
		old, err := Read(a, phase)
		if err != nil {
			return err
		}
		options, err := f(phase, slices.Clone(old))
		if err != nil {
			return err
		}
		slices.Sort(options)
		if options = slices.Compact(options); !slices.Equal(old, options) {
			next[phase] = options
		}
	}
	for _, phase := range phases {
		options, changed := next[phase]
		switch {
		case !changed:
		case len(options) == 0:
			err = record.Remove(a.Path(file(phase)))
		default:
			err = record.Write(a.Path(file(phase)), []byte(strings.Join(append(options, ""), "\n")), 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
