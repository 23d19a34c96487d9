package queue

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
)

// maxText bounds what is kept of a word that somebody else chose.
const maxText = 100

// Entry says who has something, or waits for it.
type Entry struct {
	Verb   string    `json:"verb"`
	Who    string    `json:"who,omitempty"`
	PID    int       `json:"pid,omitempty"`
	Since  time.Time `json:"since"`
	App    string    `json:"app,omitempty"`
	Branch string    `json:"branch,omitempty"` // of a push
	Rev    string    `json:"rev,omitempty"`    // of a push
}

// Line is the entry as one line of JSON, with its end.
func (e Entry) Line() string {
	data, _ := json.Marshal(e) // strings, a number and a time
	return string(data) + "\n"
}

// ParseEntry reads what [Entry.Line] wrote; ok is false when it is nothing of that kind.
func ParseEntry(text string) (e Entry, ok bool) {
	err := json.Unmarshal([]byte(text), &e)
	return e, err == nil && e.Verb != ""
}

// String is "VERB by WHO"; what could change a terminal is left out.
func (e Entry) String() string {
	text := Printable(e.Verb)
	if e.Who != "" {
		text += " by " + Printable(e.Who)
	}
	return text
}

// Start is the time since when, with the day when that is not today.
func (e Entry) Start() string { return Clock(e.Since, time.Now()) }

// Clock is the time of day of t, with the date if it is another day than now's.
func Clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04:05")
}

// Printable is s without what could change a terminal, and not too long.
func Printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > maxText {
		s = string(runes[:maxText]) + "..."
	}
	return s
}
