package dockerapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// runOwnCommand has docker's own command build: it knows all of its options, and brings the session that BuildKit asks
// for secrets, keys and registries' passwords.
func (b *imageBuild) runOwnCommand(ctx context.Context) error {
	env := slices.Clone(b.s.Env)
	if _, set := settings.Lookup(env, BuilderEnv); !set && (NeedsBuildKit(b.text) || needsSession(b.text) || asksForSession(b.s.Options)) {
		env = append(env, BuilderEnv+"=1")
	}
	env = append(env, "BUILDKIT_PROGRESS=plain")
	args := []string{dockerCommand(env), "image", "build", "--tag", b.s.Tag, "--file", filepath.Join(b.s.Dir, b.s.Dockerfile)}
	for _, key := range slices.Sorted(maps.Keys(b.labels)) {
		args = append(args, "--label", key+"="+b.labels[key])
	}
	args = append(append(args, b.s.Options...), boundOptions(b.s.Memory, b.s.CPUs, b.s.Options)...)
	if err := proc.Run(ctx, proc.Cmd{Args: append(args, b.s.Dir), Env: env, Stdout: b.out, Stderr: b.out}); err != nil {
		return fmt.Errorf("cannot build the image with docker's own command (options of plugins: %q): %w", strings.Join(b.s.Options, " "), err)
	}
	return nil
}

// asksForSession tells whether options name something that only BuildKit knows.
func asksForSession(options []string) bool {
	return slices.ContainsFunc(options, func(word string) bool {
		name, _, _ := strings.Cut(word, "=")
		return name == "--secret" || name == "--ssh" || name == "--output" || name == "-o" || name == "--build-context"
	})
}

// refusedByRegistry tells whether a build failed because a registry did not give an image to somebody without a name,
// while somebody has logged in to one. The names and passwords, and the programs that know them, are docker's own
// command's business.
func (b *imageBuild) refusedByRegistry(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	for _, refusal := range []string{"pull access denied", "failed to authorize", "unauthorized", "no basic auth credentials", "authorization failed", "access forbidden"} {
		if strings.Contains(text, refusal) {
			return b.loggedIn()
		}
	}
	return false
}

// loggedIn tells whether docker's own command knows a registry's password.
func (b *imageBuild) loggedIn() bool {
	env := settings.Settings{Env: b.s.Env}
	dir := env.Get("DOCKER_CONFIG", filepath.Join(env.Get("HOME", "/"), ".docker"))
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return false
	}
	var config struct {
		Auths       map[string]json.RawMessage `json:"auths"`
		CredsStore  string                     `json:"credsStore"`
		CredHelpers map[string]string          `json:"credHelpers"`
	}
	return json.Unmarshal(data, &config) == nil && (len(config.Auths) > 0 || config.CredsStore != "" || len(config.CredHelpers) > 0)
}
