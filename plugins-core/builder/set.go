package builder

import (
	"context"
	"errors"
	"slices"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// keys are the properties in the order of the report.
func keys() []string {
	return []string{deploy.SelectedKey, deploy.BuildDirKey, deploy.SkipCleanupKey, deploy.BuildMemoryKey, deploy.BuildCPUsKey, deploy.BuildTimeoutKey}
}

// limits are those that keep a build from taking the host.
func limits() []string {
	return []string{deploy.BuildMemoryKey, deploy.BuildCPUsKey, deploy.BuildTimeoutKey}
}

// set is builder:set. What an app may take of the host is not for who may only deploy.
func set(ctx context.Context, c *plug.C) error {
	return plug.Setter{Plugin: pluginName, Keys: keys(), Check: check, Admin: func(key string) bool { return slices.Contains(limits(), key) }}.Run(ctx, c)
}

// check is a value as it is kept.
func check(ctx context.Context, c *plug.C, key, value string) (string, error) {
	switch key {
	case deploy.SelectedKey:
		return value, deploy.CheckBuilder(ctx, c, value)
	case deploy.BuildDirKey:
		return cleanDir(value)
	case deploy.SkipCleanupKey:
		if value != "true" && value != "false" {
			return "", errors.New("it is true or false")
		}
		return value, nil
	}
	return value, deploy.CheckLimit(key, value)
}

// cleanDir is a directory of the source in its shortest form.
func cleanDir(value string) (string, error) {
	clean, err := deploy.SourcePath(value)
	if err != nil {
		return "", err
	}
	if clean == "." {
		return "", errors.New("that is all of the source; to have that built, give no value")
	}
	return clean, nil
}
