package dockerapi_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Between two steps the engine's builder holds no image, so that the removal of one of the same layers takes its base away.
func TestBuildWhileImagesGo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds with the engine")
	}
	engine, err := dockerapi.New(settings.Settings{Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	build := func(tag, text string, out *atText) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 64<<20), 0o644); err != nil {
			t.Fatal(err)
		}
		spec := dockerapi.BuildSpec{App: tag, Dir: dir, Dockerfile: "Dockerfile", Tag: "dokku-build-race/" + tag, Env: []string{"DOCKER_BUILDKIT=0"}}
		if err := engine.BuildDockerfile(t.Context(), spec, out); err != nil {
			t.Fatalf("build %s: %v\n%s", tag, err, out.all.String())
		}
	}
	remove := func(tag string) {
		if err := engine.RemoveImage(t.Context(), "dokku-build-race/"+tag); err != nil {
			t.Error(err)
		}
	}
	// The copy nearly always takes longer than the removal, and makes a layer on what is gone then.
	for try := range 10 {
		base := fmt.Sprintf("FROM scratch\nENV RACE=%d\n", time.Now().UnixNano())
		build("one", base, &atText{})
		out := &atText{text: "COPY large", do: func() { remove("one") }}
		build("two", base+"COPY large /\n", out)
		remove("two")
		if strings.Contains(out.all.String(), "starts again") {
			t.Logf("the build lost its base in try %d", try+1)
			return
		}
	}
	t.Error("no build has lost its base")
}

// BuildKit holds what it builds on, and what it has in its cache, until it is done.
func TestBuildKitWhileImagesGo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds with the engine")
	}
	engine, err := dockerapi.New(settings.Settings{Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	build := func(tag, text, builder string, out *atText) {
		t.Helper()
		dir := t.TempDir()
		for name, data := range map[string]string{"Dockerfile": text, "large": fmt.Sprint(time.Now().UnixNano()) + strings.Repeat("x", 16<<20)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		spec := dockerapi.BuildSpec{App: tag, Dir: dir, Dockerfile: "Dockerfile", Tag: "dokku-kit-race/" + tag, Env: []string{"DOCKER_BUILDKIT=" + builder}}
		if err := engine.BuildDockerfile(t.Context(), spec, out); err != nil {
			t.Errorf("build %s: %v\n%s", tag, err, out.all.String())
		}
	}
	for _, builder := range []string{"0", "1"} {
		build("base", fmt.Sprintf("FROM scratch\nENV RACE=%d\nCOPY large /a\n", time.Now().UnixNano()), builder, &atText{})
		remove := func(tag string) {
			if err := engine.RemoveImage(t.Context(), "dokku-kit-race/"+tag); err != nil {
				t.Error(err)
			}
		}
		build("two", "FROM dokku-kit-race/base\nCOPY large /b\nCOPY large /c\n", "1", &atText{text: "FROM", do: func() { remove("base") }})
		remove("two")
	}
}

// atText calls do, once, when the text has been written.
type atText struct {
	all  bytes.Buffer
	text string
	do   func()
}

func (w *atText) Write(p []byte) (int, error) {
	w.all.Write(p)
	if w.do != nil && strings.Contains(w.all.String(), w.text) {
		w.do()
		w.do = nil
	}
	return len(p), nil
}
