package deploy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Limits are the bounds of a build; zero: none.
type Limits struct {
	Memory  int64   // bytes that a container of the build may have
	CPUs    float64 // processors
	Timeout time.Duration
	texts   map[string]string // as they were given, by key
}

// maxTimeout is more than any build takes.
const maxTimeout = 7 * 24 * time.Hour

// minMemory is the least that the engine gives a container.
const minMemory = 6 << 20

// LimitsOf reads the bounds of an app's builds: its own properties, those of all apps, the host's settings.
func LimitsOf(s settings.Settings, a app.App) (Limits, error) {
	l := Limits{texts: map[string]string{}}
	for key, setting := range map[string]string{BuildMemoryKey: settings.BuildMemory, BuildCPUsKey: settings.BuildCPUs, BuildTimeoutKey: settings.BuildTimeout} {
		text, from := strings.TrimSpace(property.Get(s, BuilderPlugin, a.Name, key)), key
		if text == "" {
			text, from = s.Get(setting, ""), setting
		}
		if err := l.set(key, text); err != nil {
			return l, fmt.Errorf("cannot build %q: %s is %q: %w", a.Name, from, text, err)
		}
	}
	return l, nil
}

// CheckLimit tells whether text can be the value of a key that bounds builds.
func CheckLimit(key, text string) error {
	l := Limits{texts: map[string]string{}}
	return l.set(key, text)
}

func (l *Limits) set(key, text string) (err error) {
	if text == "" || text == "0" {
		return nil
	}
	l.texts[key] = text
	switch key {
	case BuildMemoryKey:
		l.Memory, err = units.RAMInBytes(text)
		if err != nil || l.Memory < minMemory || strings.ContainsAny(text, " \t") {
			return errors.New("give an amount of memory of at least 6m, such as 512m or 2g; 0: any")
		}
	case BuildCPUsKey:
		l.CPUs, err = strconv.ParseFloat(text, 64)
		if err != nil || strings.Trim(text, "0123456789.") != "" || l.CPUs < 0.01 || l.CPUs > 4096 {
			return errors.New("give a number of processors, such as 0.5 or 2; 0: all")
		}
	case BuildTimeoutKey:
		l.Timeout, err = parseDuration(text)
		if err != nil || l.Timeout < time.Second || l.Timeout > maxTimeout {
			return errors.New("give seconds, or a time such as 10m or 1h30m, of at most a week; 0: any")
		}
	default:
		return fmt.Errorf("%s bounds no build", key)
	}
	return nil
}

// parseDuration reads seconds, or a duration of Go.
func parseDuration(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second, nil
	}
	return time.ParseDuration(text)
}

// raise says how a bound is changed.
func raise(a app.App, key string) string {
	return fmt.Sprintf("raise it with: dokku builder:set %s %s VALUE", a.Name, key)
}

// Apply gives a container that builds its bounds.
func (l Limits) Apply(s *dockerapi.Spec) { s.Memory, s.CPUs = l.Memory, l.CPUs }

// OutOfMemory is the failure of a build that was killed: for its bound of memory, when it has one.
func (l Limits) OutOfMemory(a app.App, err error) error {
	if l.Memory == 0 {
		return fmt.Errorf("%w: it was killed, most often because this host has too little memory", err)
	}
	return fmt.Errorf("%w: the build needed more than %s of memory: %s", err, l.texts[BuildMemoryKey], raise(a, BuildMemoryKey))
}

// Ended is the error of a build whose container id has ended with a status; err is what to say of it otherwise.
func (l Limits) Ended(ctx context.Context, engine *dockerapi.Engine, a app.App, id string, status int, err error) error {
	got, inspectErr := engine.Inspect(ctx, id)
	if status == 128+9 || inspectErr == nil && got.OOMKilled {
		return l.OutOfMemory(a, err)
	}
	return err
}

// errTooLong is the cause by which a build's context ends at its bound.
var errTooLong = errors.New("the build took too long")

// inTime does a build within the time that it may take.
func inTime(ctx context.Context, c *plug.C, a app.App, build func(ctx context.Context) error) error {
	l, err := LimitsOf(c.Settings(), a)
	if err != nil {
		return err
	}
	if l.Timeout == 0 {
		return build(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.Timeout, errTooLong)
	defer cancel()
	if err := build(ctx); err == nil || context.Cause(ctx) != errTooLong {
		return err
	}
	return fmt.Errorf("cannot build %q: it took longer than %s: %s", a.Name, l.texts[BuildTimeoutKey], raise(a, BuildTimeoutKey))
}
