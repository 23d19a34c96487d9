package apps

import (
	"context"
	"fmt"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

func reporter() plug.Reporter { return plug.Reporter{Area: "app", Of: reportOf} }

func reportOf(_ context.Context, _ *plug.C, a app.App) (plug.Facts, error) {
	return plug.Facts{
		{Name: "dir", Value: a.Dir()},
		{Name: "deployed", Value: fmt.Sprint(deploy.Deployed(a))},
		{Name: "locked", Value: fmt.Sprint(deploy.LockedBy(a) != nil)},
	}, nil
}
