package deploy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/queue"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// SlotEnv is given to the hooks of a build: the word by which a build that one of them starts, and waits for, has the
// slot of the build around it.
const SlotEnv = "DOKKU_BUILD_SLOT"

// slots are the places in which builds of all apps of the host run: files of which each is locked by one build.
type slots struct {
	dir   string
	count int // 0: any number
}

func slotsOf(s settings.Settings) (slots, error) {
	n, err := s.Int(settings.BuildSlots, max(1, runtime.NumCPU()/2))
	return slots{dir: s.Data("build-slots"), count: n}, err
}

func (s slots) path(i int) string { return filepath.Join(s.dir, fmt.Sprintf("slot.%d", i+1)) }

// read returns the word and the holder of slot i, as far as they are written down.
func (s slots) read(i int) (token string, e queue.Entry) {
	data, err := os.ReadFile(s.path(i))
	if err != nil {
		return "", e
	}
	token, text, _ := strings.Cut(string(data), "\n")
	e, _ = queue.ParseEntry(text)
	return token, e
}

// inherited tells whether token is that of a build around this one.
func (s slots) inherited(token string) bool {
	if token == "" {
		return false
	}
	for i := range s.count {
		if word, _ := s.read(i); word == token {
			return true
		}
	}
	return false
}

// try takes a free slot and writes down who has it; nil: there is none.
func (s slots) try(token string, e queue.Entry) (*os.File, error) {
	for i := range s.count {
		f, err := os.OpenFile(s.path(i), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			if err = f.Truncate(0); err == nil {
				_, err = f.WriteAt([]byte(token+"\n"+e.Line()), 0)
			}
			if err == nil {
				return f, nil
			}
		}
		_ = f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, err
		}
	}
	return nil, nil
}

// holders says what is being built.
func (s slots) holders() string {
	var names []string
	for i := range s.count {
		if _, e := s.read(i); e.App != "" {
			names = append(names, fmt.Sprintf("%s since %s", queue.Printable(e.App), e.Start()))
		}
	}
	return strings.Join(names, ", ")
}

// inSlot does f, a build of a, in one of the host's slots, after the builds that came earlier. A build inside a build has
// the slot already: it would wait for one that waits for it.
func inSlot(ctx context.Context, c *plug.C, a app.App, f func(c *plug.C) error) error {
	s, err := slotsOf(c.Settings())
	if err != nil {
		return err
	}
	if s.count == 0 || s.inherited(c.Getenv(SlotEnv)) {
		return f(c)
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("cannot build %s: %w", a.Name, err)
	}
	var held *os.File
	token := rand.Text()
	w := queue.Wish{Entry: c.Entry(queue.Entry{Verb: "build", App: a.Name}), NoWait: c.Settings().On(settings.NoWait)}
	told := false
	w.Waiting = func(place int) {
		if !told {
			c.Info1("%s is to be built, and as many builds run as this host allows (%d)", a.Name, s.count)
			told = true
		}
		c.Verbose("You are number %d in line; being built: %s", place, s.holders())
	}
	_, err = queue.Line(filepath.Join(s.dir, "queue")).Wait(ctx, w, func() (ok bool, err error) {
		held, err = s.try(token, w.Entry)
		return held != nil, err
	})
	if errors.Is(err, queue.ErrBusy) {
		return fmt.Errorf("cannot build %s: %w: being built: %s; try again later, or leave out --no-wait", a.Name, err, s.holders())
	}
	if err != nil {
		return fmt.Errorf("cannot build %s: %w", a.Name, err)
	}
	defer func() {
		_ = held.Truncate(0)
		_ = held.Close()
	}()
	return f(c.With(SlotEnv, token))
}
