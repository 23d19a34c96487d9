package dockerapi

import (
	"context"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/versions"
)

// PruneBuildCache has the engine reduce what its BuildKit keeps of builds to that many bytes, the longest unused first.
// Images, and what they share with the cache, stay. It returns how many bytes are free now.
func (e *Engine) PruneBuildCache(ctx context.Context, keep int64) (freed uint64, err error) {
	o := build.CachePruneOptions{KeepStorage: keep}
	if ping, err := e.cli.Ping(ctx); err == nil && versions.GreaterThanOrEqualTo(ping.APIVersion, "1.48") {
		o = build.CachePruneOptions{ReservedSpace: keep, MaxUsedSpace: keep}
	}
	report, err := e.cli.BuildCachePrune(ctx, o)
	// Another one who is at it does the same.
	if err != nil && (strings.Contains(err.Error(), "already running") || errdefs.IsNotImplemented(err) || errdefs.IsNotFound(err)) {
		return 0, nil
	}
	if err != nil {
		return 0, explain("prune the cache of builds", err)
	}
	return report.SpaceReclaimed, nil
}
