package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/queue"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// LockedFile is the record of an app that somebody has locked by hand: while it is there, nobody makes a new release.
const LockedFile = ".locked"

// maxMessage bounds what is said with a lock.
const maxMessage = 500

// Locked says who has locked an app by hand, and what for.
type Locked struct {
	Who     string    `json:"who"`
	Since   time.Time `json:"since"`
	Message string    `json:"message,omitempty"`
}

// String is "locked by WHO since WHEN: MESSAGE".
func (l Locked) String() string {
	text := fmt.Sprintf("locked by %s since %s", queue.Printable(l.Who), queue.Clock(l.Since, time.Now()))
	if l.Message != "" {
		text += ": " + l.Message
	}
	return text
}

// LockedBy returns who has locked the app by hand, nil when nobody has. A record that cannot be read locks.
func LockedBy(a app.App) *Locked {
	data, err := os.ReadFile(a.Path(LockedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var l Locked
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	if err != nil || l.Who == "" || checkMessage(l.Message) != nil {
		l = Locked{Who: "somebody"}
		if st, err := os.Stat(a.Path(LockedFile)); err == nil {
			l.Since = st.ModTime()
		}
	}
	return &l
}

// LockByHand locks the app until [UnlockByHand]. It does not wait for a deploy, which it ends at its next step.
func LockByHand(a app.App, l Locked) error {
	if err := checkMessage(l.Message); err != nil {
		return fmt.Errorf("cannot lock %s: %w", a.Name, err)
	}
	if old := LockedBy(a); old != nil {
		return fmt.Errorf("cannot lock %s: it is %s; unlock it with: dokku apps:unlock %s", a.Name, old, a.Name)
	}
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return record.Write(a.Path(LockedFile), append(data, '\n'), 0o644)
}

func checkMessage(text string) error {
	if len(text) > maxMessage {
		return fmt.Errorf("the message has more than %d bytes", maxMessage)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("the message is not one line of text")
	}
	return nil
}

// UnlockByHand takes the lock away, if there is one.
func UnlockByHand(a app.App) error { return record.Remove(a.Path(LockedFile)) }

// refuseLocked is the error for whoever would make a new release of an app that is locked by hand. What brings back what
// ran before is none.
func refuseLocked(a app.App, cause string) error {
	if cause == "recover" {
		return nil
	}
	return RefuseLocked(a, "deploy")
}
