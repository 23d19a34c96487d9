package testscripts

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// cnbImages makes the builder image of the examples, for scripts about Cloud Native Buildpacks.
var cnbImages = sync.OnceValue(func() error {
	out, err := exec.Command("../docs/examples/cnb-builder/make.sh").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot make the builder image: %w\n%s", err, out)
	}
	return nil
})

// cnbSettings are what a script about Cloud Native Buildpacks has in its environment, beside what all have.
func cnbSettings(workDir string) ([]string, error) {
	if name := filepath.Base(workDir); !strings.HasPrefix(name, "script-deploy_cnb") && !strings.HasPrefix(name, "script-host_nine_apps") {
		return nil, nil
	}
	return []string{"DOKKU_CNB_BUILDER=dokku/cnb-builder:latest"}, cnbImages()
}
