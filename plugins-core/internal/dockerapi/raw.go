package dockerapi

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/rawenv"
)

// restoring has a container whose variables JSON cannot hold begin with the program that restores them. What it begins
// with otherwise is the program's argument, so it has to be known: the options' entrypoint, the spec's or the image's.
func (e *Engine) restoring(ctx context.Context, s Spec, options []string) (Spec, []string, error) {
	env, encoded := rawenv.Encode(s.Env)
	if !encoded {
		return s, options, nil
	}
	self, err := os.Executable()
	if err != nil {
		return s, nil, err
	}
	words := s.Cmd
	if program, rest, given := takeEntrypoint(options); given {
		if len(s.Entrypoint) > 0 { // docker's own command knows a single word
			words = slices.Concat(s.Entrypoint[1:], words)
		}
		if options = rest; program != "" {
			words = slices.Concat([]string{program}, words)
		}
	} else if s.Entrypoint != nil {
		words = slices.Concat(s.Entrypoint, words)
	} else {
		image, err := e.Image(ctx, s.Image)
		if err != nil {
			return s, nil, err
		}
		if len(words) == 0 {
			words = image.Cmd
		}
		words = slices.Concat(image.Entrypoint, words)
	}
	if len(words) == 0 {
		return s, nil, fmt.Errorf("cannot create a container of %s: it says no program to run", s.Image)
	}
	s.Env, s.Entrypoint, s.Cmd = env, []string{rawenv.Program}, words
	s.Binds = append(slices.Clone(s.Binds), Bind{Source: self, Target: rawenv.Program, ReadOnly: true})
	return s, options, nil
}

// takeEntrypoint takes the last --entrypoint, which is the one that counts, and all others out of options.
func takeEntrypoint(options []string) (program string, rest []string, given bool) {
	for i := 0; i < len(options); i++ {
		value, joined := strings.CutPrefix(options[i], "--entrypoint=")
		switch {
		case joined:
			program, given = value, true
		case options[i] == "--entrypoint" && i+1 < len(options):
			i++
			program, given = options[i], true
		default:
			rest = append(rest, options[i])
		}
	}
	return program, rest, given
}

// inside is a command for a container that runs: where its process had its variables restored, so has the command.
func (e *Engine) inside(ctx context.Context, id string, cmd []string) ([]string, error) {
	got, err := e.cli.ContainerInspect(ctx, id)
	if err == nil && len(got.Config.Entrypoint) > 0 && got.Config.Entrypoint[0] == rawenv.Program {
		cmd = slices.Concat([]string{rawenv.Program}, cmd)
	}
	return cmd, err
}
