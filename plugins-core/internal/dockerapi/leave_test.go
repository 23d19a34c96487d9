package dockerapi_test

import (
	"archive/tar"
	"bytes"
	"os"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// An app was stopped while the process that ends old containers removed one: "container is marked for removal and cannot
// be update".
func TestLeaveStoppedRegression(t *testing.T) {
	if testing.Short() {
		t.Skip("makes containers")
	}
	engine, err := dockerapi.New(settings.Settings{Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	var empty bytes.Buffer
	if err := tar.NewWriter(&empty).Close(); err != nil {
		t.Fatal(err)
	}
	const image = "dokku-leave-stopped:test"
	if err := engine.Import(t.Context(), &empty, image, nil); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := engine.RemoveImage(t.Context(), image); err != nil {
			t.Error(err)
		}
	}()
	for range 20 {
		id, err := engine.Create(t.Context(), dockerapi.Spec{Kind: "test", Image: image, Cmd: []string{"/none"}})
		if err != nil {
			t.Fatal(err)
		}
		removed := make(chan error, 1)
		go func() { removed <- engine.Remove(t.Context(), id) }()
		for done := false; !done; {
			select {
			case err := <-removed:
				if err != nil {
					t.Error(err)
				}
				done = true
			default:
			}
			if err := engine.LeaveStopped(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
	}
}
