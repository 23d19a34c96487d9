package release

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// How much is kept of what was.
const (
	DefaultRetain = 5   // images beside the current one that a rollback can go to
	keptRecords   = 100 // records beside those whose image is kept
	maxRetain     = 1000
)

const retainKey = "retain"

// Plugin is the name under which properties and events of releases are kept.
const Plugin = "releases"

// Retain returns how many images beside the current one are kept for the app of that name.
func Retain(s settings.Settings, name string) int {
	if n, err := strconv.Atoi(property.Get(s, Plugin, name, retainKey)); err == nil && n >= 0 && n <= maxRetain {
		return n
	}
	return DefaultRetain
}

// SetRetain sets it, for the app of that name or for all (property.Global); "" goes back to the default.
func SetRetain(s settings.Settings, name, value string) error {
	if n, err := strconv.Atoi(value); value != "" && (err != nil || n < 0 || n > maxRetain) {
		return fmt.Errorf("cannot keep %q images: give a whole number of 0 to %d", value, maxRetain)
	}
	return property.Set(s, Plugin, name, retainKey, value)
}

// Kept returns those of list, the newest first, whose images are kept: of all releases that were in service, the ones
// with the current image and the next retain images before it.
func Kept(list []*Release, retain int) []*Release {
	var images []string
	var out []*Release
	for _, r := range list {
		if r.Outcome != Deployed {
			continue
		}
		if !slices.Contains(images, r.Image) {
			if len(images) > retain {
				break
			}
			images = append(images, r.Image)
		}
		out = append(out, r)
	}
	return out
}

// PruneRecords removes the records of releases that nobody can go back to, but for the last of them.
func PruneRecords(a app.App, list, kept []*Release) error {
	for i, r := range list {
		if i < keptRecords || slices.Contains(kept, r) || r.Outcome == Deploying || r.Outcome == Reverting {
			continue
		}
		if err := record.Remove(file(a, r.Number)); err != nil {
			return err
		}
	}
	return nil
}

// Target returns the release that a rollback goes to. n is its number; 0 means the one before the current one, or
// before the one that the current one repeats, so that rolling back again goes further back.
func Target(list []*Release, kept []*Release, n int, name string) (*Release, error) {
	if n != 0 {
		i := slices.IndexFunc(list, func(r *Release) bool { return r.Number == n })
		switch {
		case i < 0:
			return nil, &NotFoundError{App: name, Number: n}
		case list[i].Outcome != Deployed:
			return nil, fmt.Errorf("cannot roll %q back to v%d: that release is %s; choose one that was deployed: dokku releases %s", name, n, list[i].Outcome, name)
		case !slices.Contains(kept, list[i]):
			return nil, fmt.Errorf("cannot roll %q back to v%d: its image is not kept any more; to keep more of them: dokku releases:retain %s COUNT", name, n, name)
		}
		return list[i], nil
	}
	base := 0
	for _, r := range kept {
		if base == 0 { // the current one
			if base = r.Number; r.RollbackOf != 0 {
				base = r.RollbackOf
			}
		} else if r.Number < base {
			return r, nil
		}
	}
	return nil, fmt.Errorf("cannot roll %q back: there is no release before the current one", name)
}
