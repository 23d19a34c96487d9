package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// diagnose looks whether the hooks of plugins can be started, and whether the keys of dokku's user are its own.
func diagnose(_ context.Context, c *plug.C, d *plug.Diagnosis) {
	plugins, err := dirs(c.Settings().PluginPath())
	if err != nil {
		d.Violation("plugins", "", "see that the directory is there and that this user may read it", "%v", err)
	}
	hooks := strings.Fields(hookNames)
	for _, dir := range plugins {
		for _, h := range broken(dir, hooks) {
			d.Warning("plugins", "", "mend the file, or disable the plugin", "hook %s cannot be started: %s", h.Path, reason(h.Check()))
		}
	}
	checkKeys(filepath.Join(c.Settings().Root(), ".ssh"), d)
}

// broken are the hooks in a plugin's directory that cannot be started. A file counts as a hook when it is named like
// one; others may be anything.
func broken(dir string, names []string) []pluginhook.Hook {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []pluginhook.Hook
	for _, e := range entries {
		h := pluginhook.Hook{Plugin: filepath.Base(dir), Name: e.Name(), Dir: dir, Path: filepath.Join(dir, e.Name())}
		if slices.Contains(names, h.Name) && h.Check() != nil {
			out = append(out, h)
		}
	}
	return out
}

// reason is what is wrong with a file, without its name.
func reason(err error) string {
	var exit *pluginhook.ExitError
	if errors.As(err, &exit) && exit.Err != nil {
		return exit.Err.Error()
	}
	return err.Error()
}

// checkKeys looks at the modes without which sshd refuses keys, or others may add some.
func checkKeys(dir string, d *plug.Diagnosis) {
	for file, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "authorized_keys"): 0o600} {
		if st, err := os.Stat(file); err == nil && st.Mode().Perm()&^mode != 0 {
			d.Violation("keys", "", fmt.Sprintf("chmod %o %s", mode, file), "%s has mode %04o", file, st.Mode().Perm())
		}
	}
}

// hookNames are the hooks of docs/hooks.md; a test compares them.
const hookNames = `
app-create app-destroy app-exists app-list app-maybe-create app-recover app-restart backup-check backup-export
backup-import builder-build builder-detect builder-inputs builder-names builder-reason builder-release
buildpack-stack-name buildpacks-detect certs-exists check-deploy commands config-get config-get-global config-set
config-unset core-post-deploy core-post-extract core-pre-commit core-prune dependencies deploy deploy-source-set
docker-args docker-args-build docker-args-deploy docker-args-process-deploy docker-args-run doctor-check
domains-add domains-list domains-urls domains-vhost-enabled git-deploy-branch git-post-pull git-pre-pull
git-revision git-settle install nginx-hostname nginx-pre-reload nginx-quarantined ports-get post-app-clone
post-app-clone-setup post-app-rename post-app-rename-setup post-build post-build-buildpack post-build-buildstep
post-build-dockerfile post-build-pack post-certs-remove post-certs-update post-config-update post-container-create
post-create post-delete post-deploy post-domains-update post-extract post-proxy-ports-update post-release
post-release-builder post-release-buildpack post-release-buildstep post-release-dockerfile post-release-pack
post-stop pre-build pre-build-buildpack pre-build-buildstep pre-build-dockerfile pre-build-pack pre-delete
pre-deploy pre-receive-app pre-release pre-release-builder pre-release-buildpack pre-release-buildstep
pre-release-dockerfile pre-release-pack pre-restore pre-start proxy-build-config proxy-clear-config
proxy-is-enabled proxy-type ps-current-scale ps-get-property receive-app receive-branch release-and-deploy
release-crashed report scheduler-adopt scheduler-app-status scheduler-deploy scheduler-detect scheduler-enter
scheduler-inspect scheduler-is-deployed scheduler-logs scheduler-logs-failed scheduler-reserved-addresses
scheduler-retire scheduler-run scheduler-settle scheduler-stop uninstall update user-auth
`
