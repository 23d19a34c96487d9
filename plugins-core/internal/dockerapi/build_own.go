package dockerapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// runOwnCommand has docker's own command build: it knows all of its options, and brings the session that BuildKit asks
// for secrets, keys and registries' passwords.
func (b *imageBuild) runOwnCommand(ctx context.Context) (err error) {
	env := slices.Clone(b.s.Env)
	if _, set := settings.Lookup(env, BuilderEnv); !set && (NeedsBuildKit(b.text) || needsSession(b.text) || asksForSession(b.s.Options)) {
		env = append(env, BuilderEnv+"=1")
	}
	env = append(env, "BUILDKIT_PROGRESS=plain")
	// Whoever finishes a build after we were killed must not have its image taken for that of a later one.
	repository, _, _ := strings.Cut(b.s.Tag, ":")
	passing := repository + ":" + passingTag + strings.ToLower(rand.Text()[:12])
	args := []string{dockerCommand(env), "image", "build", "--tag", passing, "--file", filepath.Join(b.s.Dir, b.s.Dockerfile)}
	for _, key := range slices.Sorted(maps.Keys(b.labels)) {
		args = append(args, "--label", key+"="+b.labels[key])
	}
	args = append(append(args, b.s.Options...), boundOptions(b.s.Memory, b.s.CPUs, b.s.Options)...)
	defer func() { err = errors.Join(err, b.e.RemoveImage(context.WithoutCancel(ctx), passing)) }()
	run := proc.Cmd{Args: append(args, b.s.Dir), Env: env, Stdout: b.out, Stderr: b.out, Timeout: longestBuild, Tied: true}
	if err := proc.Run(ctx, run); err != nil {
		return fmt.Errorf("cannot build the image with docker's own command%s: %w", withOptions(b.s.Options), err)
	}
	if err := b.e.hasLabels(ctx, passing, b.labels); err != nil {
		return err
	}
	return b.e.Tag(ctx, passing, b.s.Tag)
}

// longestBuild is more than any build takes that was given no bound.
const longestBuild = 7 * 24 * time.Hour

// passingTag begins the tags that images have while they are made.
const passingTag = "_build-"

// Passing tells whether a tag is one that an image has only while it is made.
func Passing(tag string) bool { return strings.HasPrefix(tag, passingTag) }

// asksForSession tells whether options name something that only BuildKit knows.
func asksForSession(options []string) bool {
	return slices.ContainsFunc(options, func(word string) bool {
		name, _, _ := strings.Cut(word, "=")
		return name == "--secret" || name == "--ssh" || name == "--output" || name == "-o" || name == "--build-context"
	})
}

// refusedByRegistry tells whether a build failed because a registry did not give an image to somebody without a name,
// while somebody has logged in to one. The names and passwords, and the programs that know them, are docker's own
// command's business. What a command of the Dockerfile prints is nothing that a registry says.
func (b *imageBuild) refusedByRegistry(err error) bool {
	var failure *BuildFailure
	if err == nil || errors.As(err, &failure) {
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
