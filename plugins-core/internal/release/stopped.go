package release

import (
	"os"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// MarkStopped marks the app as stopped by somebody. The mark names the release that was in service, v0 when none was:
// one that is in service later was started, even if whoever did it died before the mark was gone.
func MarkStopped(a app.App) error {
	current, err := Current(a)
	if err != nil {
		return err
	}
	n := 0
	if current != nil {
		n = current.Number
	}
	return record.WriteLine(a.Path(app.StoppedFile), Name(n))
}

// Stopped tells whether somebody stopped the app, and nothing was put in service since. A mark that names no release
// counts always.
func Stopped(a app.App) bool {
	if _, err := os.Stat(a.Path(app.StoppedFile)); err != nil {
		return false
	}
	mark := a.State(app.StoppedFile)
	n, err := Parse(mark)
	if mark == Name(0) {
		n, err = 0, nil
	}
	current, currentErr := Current(a)
	if err != nil || currentErr != nil {
		return true
	}
	if current == nil {
		return n == 0
	}
	return current.Number == n
}
