package core

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/rawenv"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/shim"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
	"github.com/dokku-go/dokku/plugins-core/stack"
)

// Stack runs one of the programs of containers of the stack image, in such a container, and returns its status.
func Stack(args []string, stdout, stderr io.Writer) int { return buildstep.Main(args, stdout, stderr) }

// Buildstep is the command buildstep, which builds an image of a tar without a platform, and returns its status.
func Buildstep(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return plug.Report(stderr, "", stack.Buildstep(ctx, args, env, stdin, stdout, stderr))
}

// BuildstepProgram is the name by which that command is called: a link to dokku.
const BuildstepProgram = "buildstep"

// StackProgram is where we are in images of the stack, and only there.
const StackProgram = buildstep.Program

// EnvProgram is the name by which containers call the program that restores their variables.
const EnvProgram = rawenv.Program

// RestoreEnv becomes the program args of a container with its variables restored; it returns a status when it cannot.
func RestoreEnv(args, env []string, stderr io.Writer) int { return rawenv.Main(args, env, stderr) }

// Docker does a call of docker for a plugin of that age, and returns its status.
func Docker(ctx context.Context, age string, words, env []string) int {
	return shim.Main(ctx, age, words, env)
}

// WriteCompat writes the programs that are first in the PATH of hooks.
func WriteCompat(s settings.Settings) error {
	for _, age := range []string{plug.Age2014, plug.AgeToday} {
		dir := s.CompatPath(age)
		if err := record.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot write the programs for hooks: %w", err)
		}
		for name, text := range shim.Files() {
			if _, err := plug.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
				return fmt.Errorf("cannot write the programs for hooks: %w", err)
			}
		}
	}
	return nil
}
