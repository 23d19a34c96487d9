package nginxvhosts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// build has nginx serve what the app's state files name, and goes back to what was when that fails.
func (s *site) build(ctx context.Context) error {
	// Who waits for the host's lock says so, and whoever has it loads the files of all who wait with one reload. When it
	// is their turn they find nothing left to load.
	withdraw, err := app.LockPath(ctx, s.waitingFile())
	if err != nil {
		return err
	}
	defer withdraw()
	aside, err := s.buildAlone(ctx)
	s.host().tell(ctx, aside)
	return err
}

// buildAlone is build under the host's lock: nginx tests and loads the files of all apps together. What is to be served
// is read under the lock, so that nobody who waited for it brings back what was served before.
func (s *site) buildAlone(ctx context.Context) (aside []*quarantine, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	ch, err := s.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if ch == nil {
		return s.clearLocked(ctx, 0)
	}
	for _, warning := range ch.cert.warnings(time.Now()) {
		s.c.Warn("%s", warning)
	}
	if there, missing := s.half(); there != "" {
		s.c.Warn("%s is there and %s is not: %s is served without this certificate", there, missing, s.app.Name)
	}
	files := []string{s.switchFile(0, 0)}
	if s.guarded() {
		files = append(files, s.readyFile())
	}
	if err := checkAccess(masterPID(s.s), files...); err != nil {
		return nil, err
	}
	if aside, err = ch.install(ctx); err != nil {
		return aside, err
	}
	return aside, errors.Join(s.flip(ch.to), s.markReady())
}

// adopt is build for who goes back to a version, or brings one up again. That may not depend on files which somebody
// has broken meanwhile: where nginx has loaded upstreams with the addresses it is told which to use, and what is wrong
// is said.
func (s *site) adopt(ctx context.Context) error {
	err := s.build(ctx)
	if err == nil || s.c.Arg(1) == deploy.ReproxyWord {
		return err
	}
	unlock, e := s.lock(context.WithoutCancel(ctx))
	if e != nil {
		return err
	}
	defer unlock()
	sides, now, _, e := s.readSides()
	addresses := s.addresses()
	if e != nil || len(addresses) == 0 || !s.host().served(s.app.Name) || len(workers(masterPID(s.s))) == 0 {
		return err
	}
	if !slices.ContainsFunc(sides, func(side []string) bool { return slices.Equal(side, addresses) }) {
		return err
	}
	_, to := place(sides, now, addresses, nil)
	s.c.Warn("%v", err)
	s.c.Warn("nginx goes on with the configuration of %s that it has loaded; mend it, then: dokku nginx:build-config %s", s.app.Name, s.app.Name)
	return errors.Join(s.flip(to), s.markReady())
}

// lock takes the lock of the host, and undoes what somebody who died had tried out. Apps whose renaming is not at its
// end are served from where they are.
func (s *site) lock(ctx context.Context) (unlock func(), err error) {
	for _, dir := range append(switches(), "groups", "loaded", "quarantined", "waiting", "down", "images") {
		if err := record.MkdirAll(filepath.Join(s.s.Data(pluginName), dir), 0o755); err != nil {
			return nil, err
		}
	}
	_ = record.MkdirAll(readyDir(s.s), 0o755) // below /run only root can
	unlock, err = hosts.LockNginx(ctx, s.s)
	if err != nil {
		return nil, err
	}
	if err := s.host().endTrial(); err != nil {
		unlock()
		return nil, err
	}
	s.host().repoint()
	return unlock, nil
}

// install puts the change in place, lets plugins edit it, and has nginx test and load it. When nginx refuses it, all
// is as it was; when nginx has loaded just this before, nothing is reloaded.
func (ch *change) install(ctx context.Context) (aside []*quarantine, err error) {
	if err := ch.put(); err != nil {
		return nil, err
	}
	edited, err := ch.preReload(ctx)
	if err == nil && !edited && ch.same() {
		return nil, ch.writeSides(ch.sides)
	}
	if file := ch.takesDefault(); err == nil && file != "" {
		err = fmt.Errorf("cannot serve %q: %s has a listen with default_server, and what answers for unknown hosts is no app", ch.app.Name, file)
	}
	if err == nil {
		// From here until the reload is done nobody knows what nginx has loaded.
		err = record.Remove(ch.loadedFile())
	}
	if err == nil {
		aside, err = ch.load(ctx, edited)
	}
	if err != nil {
		return aside, errors.Join(err, ch.revert())
	}
	return aside, nil
}

// load has nginx test and load the change, and with it those of apps that wait for their turn. Those that are refused
// are left to see to themselves.
func (ch *change) load(ctx context.Context, edited bool) (aside []*quarantine, err error) {
	all := []*change{ch}
	if !edited { // hooks are for the one whose turn it is
		all = append(all, ch.waiting(ctx)...)
	}
	var refused *refusal
	err = testConfig(ctx, ch.c)
	for errors.As(err, &refused) && len(all) > 1 {
		if all, err = ch.without(all, refused); err == nil {
			err = testConfig(ctx, ch.c)
		}
	}
	if errors.As(err, &refused) {
		aside, err = ch.blame(ctx, refused)
	}
	if err == nil {
		err = reloadAndCount(ctx, ch.c)
	}
	for _, change := range all {
		if err == nil {
			err = change.settle()
		} else if change != ch {
			err = errors.Join(err, change.revert())
		}
	}
	return aside, err
}

// without takes back the changes of others that nginx complains of, or all of them when it complains of none.
func (ch *change) without(all []*change, refused *refusal) (left []*change, err error) {
	names := ch.host().suspects(refused.message)
	isNamed := func(c *change) bool { return c != ch && slices.Contains(names, c.app.Name) }
	none := !slices.ContainsFunc(all, isNamed)
	for _, c := range all {
		if isNamed(c) || none && c != ch {
			err = errors.Join(err, c.revert())
		} else {
			left = append(left, c)
		}
	}
	return left, err
}

// waiting puts in place what the apps want that wait for the lock. One that has something wrong with it is passed over.
func (ch *change) waiting(ctx context.Context) (others []*change) {
	entries, err := os.ReadDir(filepath.Dir(ch.waitingFile()))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		s := ch.host().site(e.Name())
		if app.CheckName(e.Name()) != nil || s.app.Name == ch.app.Name || !s.app.Exists() || !waits(s.waitingFile()) {
			continue
		}
		other, err := s.prepare(ctx)
		if err != nil || other == nil || other.same() || s.takesDefault() != "" {
			continue
		}
		if err := errors.Join(record.Remove(s.loadedFile()), other.put()); err != nil {
			ch.c.Warn("cannot load the configuration of %s with this one: %v", s.app.Name, errors.Join(err, other.revert()))
			continue
		}
		others = append(others, other)
	}
	return others
}

func (s *site) waitingFile() string {
	return filepath.Join(s.s.Data(pluginName), "waiting", s.app.Name)
}

// waits tells whether somebody holds the lock of that file. It is left by those who have ended.
func waits(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// blame finds out whose fault it is that nginx does not want its configuration. It is the change's if nginx takes what
// was there before. Others are set aside, and the change is tried again.
func (ch *change) blame(ctx context.Context, first *refusal) (aside []*quarantine, err error) {
	h := ch.host()
	if names := h.suspects(first.message); len(names) == 1 && names[0] == ch.app.Name {
		return nil, first
	}
	if err := ch.revert(); err != nil {
		return nil, err
	}
	aside, err = h.isolate(ctx, "")
	if err != nil {
		return aside, err
	}
	if len(aside) == 0 {
		return nil, first
	}
	if err := record.Write(ch.conf(), ch.text, 0o644); err != nil {
		return aside, err
	}
	if err := testConfig(ctx, ch.c); err != nil {
		return aside, err
	}
	// With what is in place now it is served, whatever was wrong with what it had.
	others := aside[:0]
	for _, q := range aside {
		if q.App != ch.app.Name {
			others = append(others, q)
		}
	}
	return others, nil
}

// goneText is what is left of an nginx.conf whose app is taken out of nginx. The file itself goes later: nginx fails
// when one is removed between its looking into the directory and its opening the file.
const goneText = "# Not served any more.\n"

// isGone tells whether nothing is served by the app's file.
func (s *site) isGone() bool {
	text, err := os.ReadFile(s.conf())
	return errors.Is(err, os.ErrNotExist) || string(text) == goneText
}

// clear takes the app out of nginx. Without a configuration there is nothing to do.
func (s *site) clear(ctx context.Context) error {
	// The text goes before it is our turn: when two more reloads have been done by then, the second began without it.
	before := reloads(s.s)
	var err error
	if _, e := os.Stat(s.loadedFile()); e == nil && !s.isGone() {
		if err = record.Write(s.conf(), []byte(goneText), 0o644); err != nil { // on a full disk, where destroying has to work
			err = record.Remove(s.conf())
		}
	}
	if err != nil {
		return err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	aside, err := s.clearLocked(ctx, before+2)
	unlock()
	s.host().tell(ctx, aside)
	return err
}

// clearLocked reloads before it forgets anything else: until then nginx goes by the switch file, and a second call
// finds what is left to do. It does not reload when nginx has done so as often as enough says, unless that is 0.
func (s *site) clearLocked(ctx context.Context, enough int) (aside []*quarantine, err error) {
	gone := s.isGone()
	loaded := exists(s.loadedFile())
	if from, to := s.app.Renaming(); to == s.app.Name { // it may be what is loaded that has its old name
		loaded = loaded || exists(s.host().site(from).loadedFile())
	}
	if err := record.Remove(s.conf()); err != nil {
		return nil, err
	}
	done := gone && enough > 0 && reloads(s.s) >= enough
	if !done && (!gone || loaded) {
		err := reloadAndCount(ctx, s.c)
		var refused *refusal
		if errors.As(err, &refused) {
			if aside, err = s.host().isolate(ctx, ""); err == nil {
				err = reloadAndCount(ctx, s.c)
			}
		}
		if err != nil {
			return aside, err
		}
	}
	return aside, errors.Join(s.removeSwitches(), record.Remove(s.groupsFile()), record.Remove(s.loadedFile()),
		record.Remove(s.downFile()), record.Remove(s.readyFile()), record.Remove(s.waitingFile()), record.Remove(s.imageFile()), s.forgive())
}
