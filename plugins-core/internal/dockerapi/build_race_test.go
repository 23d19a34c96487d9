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
	base := fmt.Sprintf("FROM scratch\nENV RACE=%d\n", time.Now().UnixNano())
	build := func(tag, text string, out *atText) error {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 64<<20), 0o644); err != nil {
			t.Fatal(err)
		}
		return engine.BuildDockerfile(t.Context(), dockerapi.BuildSpec{App: tag, Dir: dir, Dockerfile: "Dockerfile", Tag: "dokku-build-race/" + tag}, out)
	}
	if err := build("one", base, &atText{}); err != nil {
		t.Fatal(err)
	}
	// The copy takes long enough for the removal, and makes a layer on what is gone then.
	var removed error
	out := &atText{text: "COPY large", do: func() { removed = engine.RemoveImage(t.Context(), "dokku-build-race/one") }}
	if err := build("two", base+"COPY large /\n", out); err != nil {
		t.Errorf("build beside the removal of an image of the same layers: %v\n%s", err, out.all.String())
	}
	if removed != nil || out.do != nil {
		t.Errorf("the image was not removed during the build: %v", removed)
	}
	if !strings.Contains(out.all.String(), "starts again") {
		t.Errorf("the build did not lose its base:\n%s", out.all.String())
	}
	if err := engine.RemoveImage(t.Context(), "dokku-build-race/two"); err != nil {
		t.Error(err)
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
