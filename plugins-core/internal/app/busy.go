package app

import (
	"fmt"

	"github.com/dokku-go/dokku/plugins-core/internal/queue"
)

// BusyError says that the app is locked, to somebody who does not want to wait.
type BusyError struct {
	App, Verb string
	Holder    queue.Entry
}

func (e *BusyError) Error() string {
	holder := "somebody has its lock"
	if e.Holder.Verb != "" {
		holder = fmt.Sprintf("%s since %s", e.Holder, e.Holder.Start())
	}
	return fmt.Sprintf("cannot %s %s: it is busy: %s; try again later, or leave out --no-wait", e.Verb, e.App, holder)
}

// OvertakenError says that a push has waited and a newer one of its branch has come.
type OvertakenError struct{ Rev, Branch string }

func (e *OvertakenError) Error() string {
	return fmt.Sprintf("cannot deploy %.7s: a newer push of %s has come while this one waited; that one goes on", e.Rev, e.Branch)
}

// DestroyedError says that a push was to an app that is gone.
type DestroyedError struct{ App string }

func (e *DestroyedError) Error() string {
	return fmt.Sprintf("cannot deploy %s: it was destroyed meanwhile; push again to make it anew", e.App)
}
