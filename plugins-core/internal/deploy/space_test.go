package deploy

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

func TestJudgeSpace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		st   unix.Statfs_t
		want string
	}{
		{unix.Statfs_t{Bavail: 25_000, Bsize: 4096, Files: 10, Ffree: 1}, ""},
		{unix.Statfs_t{Bavail: 25_000, Bsize: 4096}, ""},
		{unix.Statfs_t{Bavail: 24_000, Bsize: 4096, Files: 10, Ffree: 1}, "only 98 MB are free in /d, of 100 that a build needs at least (DOKKU_MIN_FREE_MB)"},
		{unix.Statfs_t{Bsize: 4096}, "only 0 MB are free"},
		{unix.Statfs_t{Bavail: 25_000, Bsize: 4096, Files: 10}, "no more files can be made in /d"},
	} {
		got := ""
		if err := judgeSpace(&c.st, 100, "/d"); err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%+v: got %q, want %q", c.st, got, c.want)
		}
	}
}

func TestCheckSpace(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"0": "", "1": "", "1000000000": "of 1000000000 that a build needs", "x": "give a whole number"} {
		env := []string{settings.Root + "=" + t.TempDir(), settings.LibRoot + "=" + t.TempDir() + "/none", settings.MinFree + "=" + value}
		c := &plug.C{Call: &pluginhook.Call{Env: env}}
		err := checkSpace(c, app.App{Name: "a"})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", value, err, want)
		}
	}
}
