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
		t.Skip("builds with the engine, time and again")
	}
	engine, err := dockerapi.New(settings.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	again := 0
	for i := range 12 {
		dir := t.TempDir()
		text := fmt.Sprintf("FROM scratch\nENV RACE=%d-%d\n", time.Now().UnixNano(), i) + strings.Repeat("ENV A=b\nENV A=c\n", 8)
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		build := func(tag string, out *bytes.Buffer) error {
			return engine.BuildDockerfile(t.Context(), dockerapi.BuildSpec{App: tag, Dir: dir, Dockerfile: "Dockerfile", Tag: "dokku-build-race/" + tag}, out)
		}
		var out bytes.Buffer
		if err := build("one", &out); err != nil {
			t.Fatal(err)
		}
		removed := make(chan error, 1)
		go func() {
			time.Sleep(time.Duration(40*i) * time.Millisecond)
			removed <- engine.RemoveImage(t.Context(), "dokku-build-race/one")
		}()
		out.Reset()
		if err := build("two", &out); err != nil {
			t.Errorf("build beside the removal of an image of the same layers: %v", err)
		}
		again += strings.Count(out.String(), "starts again")
		if err := <-removed; err != nil {
			t.Error(err)
		}
		if err := engine.RemoveImage(t.Context(), "dokku-build-race/two"); err != nil {
			t.Error(err)
		}
	}
	t.Logf("builds that began again: %d", again)
}
