package dockerapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// Labels of a container cannot be changed, so those of an app that got another name while they ran have the old one.
// Claims say whose they are: DOKKU_LIB_ROOT/data/containers/renamed/ID has the app's name. The next deploy makes
// containers with the right label, so there are mostly none.

// claims tells for which containers there is a claim.
func (e *Engine) claims() (map[string]bool, error) {
	entries, err := os.ReadDir(e.renamed)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot tell whose containers are whose: %w", err)
	}
	out := map[string]bool{}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			out[entry.Name()] = true
		}
	}
	return out, nil
}

// appOf is the name of the app that the container belongs to.
func (e *Engine) appOf(id string, labels map[string]string) string {
	if data, err := os.ReadFile(filepath.Join(e.renamed, filepath.Base(id))); err == nil {
		return strings.TrimSpace(string(data))
	}
	return labels[LabelApp]
}

// ClaimedBy is the name of the app that has got the first of those containers for which there is a claim; "" when there
// is none.
func (e *Engine) ClaimedBy(ids ...string) string {
	for _, id := range ids {
		if name := e.appOf(id, nil); name != "" {
			return name
		}
	}
	return ""
}

// Claim has all containers of the app of name from belong to the one of name to. It can be repeated.
func (e *Engine) Claim(ctx context.Context, from, to string) error {
	list, err := e.List(ctx, from, "")
	if err != nil || len(list) == 0 {
		return err
	}
	if err := record.MkdirAll(e.renamed, 0o755); err != nil {
		return err
	}
	for _, c := range list {
		if err := record.WriteLine(filepath.Join(e.renamed, c.ID), to); err != nil {
			return err
		}
	}
	return nil
}

// unclaim forgets whose a container was that is gone.
func (e *Engine) unclaim(id string) error {
	file := filepath.Join(e.renamed, filepath.Base(id))
	if _, err := os.Lstat(file); err != nil {
		return nil
	}
	return record.Remove(file)
}

// SweepClaims forgets whose the containers were that somebody else has removed.
func (e *Engine) SweepClaims(ctx context.Context) error {
	claimed, err := e.claims() // before the list: who claims a container has found it there
	if err != nil || len(claimed) == 0 {
		return err
	}
	list, err := e.List(ctx, "", "")
	if err != nil {
		return err
	}
	for _, c := range list {
		delete(claimed, c.ID)
	}
	for id := range claimed {
		if err := e.unclaim(id); err != nil {
			return err
		}
	}
	return nil
}
