package deploy

import (
	"os"
	"path/filepath"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// AsksForBuildpacks says what of an app, or of its source in dir, asks for a build by buildpacks, also where there is a
// Dockerfile (toolchain-2014, section 14); "" when nothing does.
func AsksForBuildpacks(s settings.Settings, a app.App, dir string) (why string, err error) {
	if _, err := os.Lstat(filepath.Join(dir, ".buildpacks")); err == nil {
		return "the source has .buildpacks", nil
	}
	list, err := property.Own(s, "buildpacks", a.Name, "buildpacks")
	if err != nil {
		return "", err
	}
	if list != "" {
		return "the app has buildpacks", nil
	}
	vars, err := a.MergedEnv()
	if err != nil || vars["BUILDPACK_URL"] == "" {
		return "", err
	}
	return "BUILDPACK_URL is set", nil
}
