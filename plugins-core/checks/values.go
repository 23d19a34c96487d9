package checks

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// values are the settings of checks: a variable of the app, else one of all apps, else one of dokku's environment.
type values struct{ levels []settings.Settings }

func readValues(c *plug.C, a app.App) (values, error) {
	own, err := a.Env()
	if err != nil {
		return values{}, err
	}
	global, err := envfile.Read(filepath.Join(a.Root, "ENV"))
	if err != nil {
		return values{}, err
	}
	return values{[]settings.Settings{{Env: own.List()}, {Env: global.List()}, c.Settings()}}, nil
}

// of is the level that says something of key.
func (v values) of(key string) settings.Settings {
	for _, s := range v.levels {
		if s.Get(key, "") != "" {
			return s
		}
	}
	return settings.Settings{}
}

// On tells whether key is switched on.
func (v values) On(key string) bool { return v.of(key).On(key) }

// Int is the number that key is set to, of at least 0.
func (v values) Int(key string, def int) (int, error) {
	n, err := v.of(key).Int(key, def)
	if err == nil && n > maxNumber {
		err = fmt.Errorf("cannot use %s=%d: give at most %d", key, n, maxNumber)
	}
	return n, err
}

// limits is how a CHECKS file is run.
type limits struct {
	wait, timeout time.Duration
	attempts      int
}

// limits takes what the file says, else the variables.
func (v values) limits(l *list) (limits, error) {
	wait, err := v.Int(settings.ChecksWait, 5)
	if err != nil {
		return limits{}, err
	}
	timeout, err := v.Int(settings.ChecksTimeout, 30)
	if err != nil {
		return limits{}, err
	}
	attempts, err := v.Int(settings.ChecksAttempts, 5)
	if err != nil {
		return limits{}, err
	}
	for _, s := range []struct{ to, from *int }{{&wait, l.wait}, {&timeout, l.timeout}, {&attempts, l.attempts}} {
		if s.from != nil {
			*s.to = *s.from
		}
	}
	if attempts == 0 {
		return limits{}, fmt.Errorf("cannot use %s=0: nothing would be checked; to have no checks, run: dokku checks:skip APP", settings.ChecksAttempts)
	}
	if timeout == 0 {
		return limits{}, fmt.Errorf("cannot use %s=0: no request is answered within no time", settings.ChecksTimeout)
	}
	return limits{seconds(wait), seconds(timeout), attempts}, nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
