package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// reporter is git:report, with the names that today's dokku has for what there is here.
func reporter() plug.Reporter { return plug.Reporter{Area: "git", Of: reportOf} }

func reportOf(_ context.Context, c *plug.C, a app.App) (plug.Facts, error) {
	branch := deployBranch(c, a)
	rev, err := readRef(a, "refs/heads/"+branch)
	if err != nil {
		return nil, err
	}
	updated := ""
	st, err := os.Stat(a.Path("refs/heads/" + branch))
	if err == nil {
		updated = strconv.FormatInt(st.ModTime().Unix(), 10)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	fetched, _, _ := strings.Cut(property.Get(c.Settings(), "git", a.Name, synced), " ")
	if fetched != rev {
		fetched = ""
	}
	return plug.Facts{
		{Name: "deploy branch", Value: configuredBranch(c, a)},
		{Name: "computed deploy branch", Value: branch},
		{Name: "sha", Value: rev},
		{Name: "last updated at", Value: updated},
		{Name: "source image", Value: property.Get(c.Settings(), "git", a.Name, sourceImage)},
		{Name: "fetched", Value: fetched},
	}, nil
}
