package standard

import (
	"context"
	"path/filepath"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// trace turns DOKKU_TRACE on or off for every dokku to come, by a file of settings.
func trace(on bool) plug.Hook {
	return func(_ context.Context, c *plug.C) error {
		if len(c.Args) > 0 {
			return c.Usage("cannot use %q: too many words", c.Args[0])
		}
		dir := filepath.Join(c.Settings().Root(), ".dokkurc")
		file := filepath.Join(dir, settings.Trace)
		if !on {
			c.Info1("Disabling trace mode")
			return record.Remove(file)
		}
		c.Info1("Enabling trace mode")
		if err := record.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return record.WriteLine(file, "export "+settings.Trace+"=1")
	}
}
