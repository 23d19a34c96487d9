package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Event is something that happened to an app and that its owner may have missed.
type Event struct {
	At      time.Time `json:"at"`
	App     string    `json:"app"`
	Release int       `json:"release,omitempty"`
	What    string    `json:"what"` // deployed, failed, reverted, ...
	Text    string    `json:"text,omitempty"`
	By      string    `json:"by,omitempty"`
}

// maxEvents is how large the file of events grows, in bytes, before it is put aside in place of the one before.
const maxEvents = 1 << 20

// Kinds lists what is told of apps.
func Kinds() []string {
	return []string{"build-failed", "cloned", "deployed", "destroyed", "failed", "interrupted", "renamed", "reverted"}
}

// eventsKey is the property of all apps with which nothing is kept: "off".
const eventsKey = "events"

// KeepsEvents tells whether events are kept.
func KeepsEvents(s settings.Settings) bool {
	return property.Get(s, Plugin, property.Global, eventsKey) != "off"
}

// KeepEvents has events be kept, or not.
func KeepEvents(s settings.Settings, on bool) error {
	value := "off"
	if on {
		value = ""
	}
	return property.Set(s, Plugin, property.Global, eventsKey, value)
}

func eventFile(s settings.Settings) string { return filepath.Join(s.Data(Plugin), "events.log") }

// Tell appends an event, unless an admin wants none. A line is one write, so that lines of several processes do not mix.
func Tell(s settings.Settings, e Event) error {
	if !KeepsEvents(s) {
		return nil
	}
	fail := func(err error) error { return fmt.Errorf("cannot keep the event %q of %q: %w", e.What, e.App, err) }
	e.At = time.Now().UTC().Round(time.Millisecond)
	line, err := json.Marshal(e)
	if err != nil {
		return fail(err)
	}
	path := eventFile(s)
	if err := record.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fail(err)
	}
	if st, err := os.Stat(path); err == nil && st.Size() > maxEvents {
		if err := record.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fail(err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fail(err)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return fail(err)
	}
	return nil
}

// Events returns the last n events of the app of that name, "" for all, the oldest first. A line that a crash cut short
// is passed over.
func Events(s settings.Settings, name string, n int) ([]Event, error) {
	var out []Event
	for _, path := range []string{eventFile(s) + ".1", eventFile(s)} {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot read the events: %w", err)
		}
		for line := range bytes.Lines(data) {
			var e Event
			if json.Unmarshal(line, &e) == nil && e.App != "" && (name == "" || e.App == name) {
				out = append(out, e)
			}
		}
	}
	return out[max(0, len(out)-n):], nil
}
