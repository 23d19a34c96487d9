package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
)

// otherFiles are the state files that belong to a release and have no field of their own.
func otherFiles() []string {
	return []string{"DOCKER_OPTIONS_BUILD", "DOCKER_OPTIONS_DEPLOY", "DOCKER_OPTIONS_RUN", "DOCKER_OPTIONS_PROCESSES"}
}

// Observe fills r with the app's settings as they are now.
func (r *Release) Observe(a app.App) error {
	vars, err := a.Env()
	if err != nil {
		return err
	}
	counts, err := scale.Read(a)
	if err != nil {
		return err
	}
	r.Config, r.Processes = vars, map[string]int{}
	for _, p := range counts {
		r.Processes[p.Type] = p.Count
	}
	domains, err := readText(a, "VHOST")
	if err != nil {
		return err
	}
	if domains != nil {
		r.Domains = append([]string{}, strings.Fields(*domains)...)
	}
	r.Files = map[string]string{}
	for _, file := range otherFiles() {
		text, err := readText(a, file)
		if err != nil {
			return err
		}
		if text != nil {
			r.Files[file] = *text
		}
	}
	return nil
}

// readText returns the text of a state file; nil when there is none.
func readText(a app.App, file string) (*string, error) {
	data, err := os.ReadFile(a.Path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the settings of %q: %w", a.Name, err)
	}
	text := string(data)
	return &text, nil
}

// texts are the settings of the release as the text of state files; nil: there is no such file.
func (r *Release) texts() map[string]*string {
	env, counts := envfile.Format(r.Config), []scale.Process{}
	for _, kind := range slices.Sorted(maps.Keys(r.Processes)) {
		counts = append(counts, scale.Process{Type: kind, Count: r.Processes[kind]})
	}
	scales := scale.Format(counts)
	out := map[string]*string{"ENV": &env, "DOKKU_SCALE": &scales, "VHOST": nil}
	if r.Domains != nil {
		text := strings.Join(append(slices.Clone(r.Domains), ""), "\n")
		out["VHOST"] = &text
	}
	for _, file := range otherFiles() {
		out[file] = nil
		if text, ok := r.Files[file]; ok {
			out[file] = &text
		}
	}
	return out
}

// Remember keeps the app's settings in r.Before, so that they can be put back.
func (r *Release) Remember(a app.App) error {
	r.Before = map[string]*string{}
	for file := range r.texts() {
		text, err := readText(a, file)
		if err != nil {
			return err
		}
		r.Before[file] = text
	}
	return nil
}

// Apply makes the settings of the release the app's.
func (r *Release) Apply(ctx context.Context, a app.App) error {
	return underEnvLock(ctx, a, func() error { return writeTexts(a, r.texts()) })
}

// Undo puts the settings back that r.Before remembers, but for those that somebody has changed since.
func (r *Release) Undo(ctx context.Context, a app.App) error {
	if r.Before == nil {
		return nil
	}
	return underEnvLock(ctx, a, func() error {
		ours, back := r.texts(), map[string]*string{}
		for file, text := range r.Before {
			now, err := readText(a, file)
			if err != nil {
				return err
			}
			if same(now, ours[file]) && !same(now, text) {
				back[file] = text
			}
		}
		return writeTexts(a, back)
	})
}

func same(x, y *string) bool { return x == nil && y == nil || x != nil && y != nil && *x == *y }

// underEnvLock keeps commands that change variables out while all settings change.
func underEnvLock(ctx context.Context, a app.App, f func() error) error {
	unlock, err := a.LockFile(ctx, ".env.lock")
	if err != nil {
		return err
	}
	defer unlock()
	return f()
}

func writeTexts(a app.App, texts map[string]*string) error {
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		mode := fs.FileMode(0o644)
		if file == "ENV" {
			mode = 0o600
		}
		text := texts[file]
		now, err := readText(a, file)
		switch {
		case err == nil && same(now, text):
		case err == nil && text == nil:
			err = record.Remove(a.Path(file))
		case err == nil:
			err = record.Write(a.Path(file), []byte(*text), mode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
