package dockerapi

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/build"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

func TestNeedsSession(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"FROM x\nRUN --mount=type=secret,id=a cat /run/secrets/a\n":               true,
		"FROM x\nRUN --mount=type=cache,target=/a --mount=type=ssh git clone x\n": true,
		"FROM x\nRUN \\\n  --mount=id=a,type=secret,required=true \\\n  make\n":   true,
		"FROM x\nRUN --mount=type=cache,target=/a make\n":                         false,
		"FROM x\nRUN --mount=type=bind,source=.,target=/a make\n":                 false,
		"FROM x\n# RUN --mount=type=secret,id=a make\n":                           false,
		"FROM x\nRUN echo type=secret\n":                                          false,
		"FROM x\nRUN --mount=target=/a echo type=ssh\n":                           false,
	} {
		if got := needsSession(text); got != want {
			t.Errorf("needsSession(%q): got %v, want %v", text, got, want)
		}
	}
}

// Who builds, on an engine that cannot be asked and so is taken to have BuildKit.
func TestChoose(t *testing.T) {
	t.Parallel()
	const plain, mount, secret = "FROM x\n", "FROM x\nRUN --mount=type=cache,target=/a make\n", "FROM x\nRUN --mount=type=secret,id=a make\n"
	for _, c := range []struct {
		text, ignore, env string
		request           build.ImageBuildOptions
		rest              []string
		want              builderKind
	}{
		{text: plain, want: buildKit},
		{text: plain, env: "DOCKER_BUILDKIT=0", want: classic},
		{text: plain, env: "DOCKER_BUILDKIT=1", want: buildKit},
		{text: mount, want: buildKit},
		{text: mount, env: "DOCKER_BUILDKIT=0", want: classic},
		{text: secret, want: ownCommand},
		{text: plain, rest: []string{"--squash"}, want: ownCommand},
		{text: plain, request: build.ImageBuildOptions{NoCache: true, Target: "a", NetworkMode: "none"}, want: buildKit},
		{text: plain, request: build.ImageBuildOptions{Memory: 1 << 30}, want: classic},
		{text: mount, request: build.ImageBuildOptions{Memory: 1 << 30}, want: buildKit},
		{text: plain, request: build.ImageBuildOptions{NetworkMode: "mine"}, want: classic},
		{text: plain, ignore: "Dockerfile\n", want: classic},
		{text: plain, ignore: "*\n", want: classic},
		{text: plain, ignore: "*\n!Dockerfile\n", want: buildKit},
		{text: mount, ignore: "*\n", want: buildKit},
	} {
		dir := t.TempDir()
		if c.ignore != "" {
			if err := os.WriteFile(filepath.Join(dir, dockerignore), []byte(c.ignore), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		b := &imageBuild{e: unreachable(t), root: root, text: c.text, request: c.request, s: BuildSpec{Dockerfile: "Dockerfile", Env: []string{c.env}}}
		if got := b.choose(t.Context(), c.rest); got != c.want {
			t.Errorf("%+v: got %v, want %v", c, got, c.want)
		}
		_ = root.Close()
	}
}

func unreachable(t *testing.T) *Engine {
	t.Helper()
	e, err := New(settings.Settings{Env: []string{"DOCKER_HOST=unix://" + filepath.Join(t.TempDir(), "none.sock")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}
