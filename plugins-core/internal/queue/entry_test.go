package queue_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/dokku-go/dokku/plugins-core/internal/queue"
)

func TestEntry(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		e    queue.Entry
		want string
	}{
		{queue.Entry{Verb: "push"}, "push"},
		{queue.Entry{Verb: "push", Who: "ann of sales"}, "push by ann of sales"},
		{queue.Entry{Verb: "push\n", Who: "\x1b[2Jann\u202e"}, "push by [2Jann"},
		{queue.Entry{Verb: "push", Who: strings.Repeat("ä", 200)}, "push by " + strings.Repeat("ä", 100) + "..."},
	} {
		if got := c.e.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if back, ok := queue.ParseEntry(c.e.Line()); !ok || back != c.e {
			t.Errorf("got %+v, %v, want %+v", back, ok, c.e)
		}
	}
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local)
	for since, want := range map[time.Time]string{
		now.Add(-time.Minute):  "11:59:00",
		now.AddDate(0, 0, -1):  "2026-03-03 12:00:00",
		now.AddDate(-1, 0, 0):  "2025-03-04 12:00:00",
		now.Add(5 * time.Hour): "17:00:00",
	} {
		if got := queue.Clock(since, now); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// FuzzEntry reads what may be in a file that others can write to.
func FuzzEntry(f *testing.F) {
	for _, text := range []string{"", "{", "null", "[]", `{"verb":"push","who":"x","pid":1,"since":"2026-01-02T03:04:05Z"}`, `{"verb":5}`, "\x00\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, ok := queue.ParseEntry(text)
		if ok && e.Verb == "" {
			t.Errorf("%q: got an entry without a verb", text)
		}
		for _, r := range e.String() {
			if !unicode.IsPrint(r) {
				t.Errorf("%q: got %q in it", text, r)
			}
		}
	})
}
