// Package queue has processes wait for something in the order in which they came.
//
// A [Line] is a directory. Who waits has a ticket in it: a file whose name is a number, greater than that of every ticket
// before. Its holder keeps the file locked (flock), so a ticket dies with its holder, however that ends; dead tickets are
// passed over and removed. Only the holder of the lowest live number tries to get what all wait for. Numbers are given out
// under a lock, not by the clock.
//
// A line that nobody stands in costs one look at its directory.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// poll is how often somebody who waits looks whether it is his turn.
const poll = 50 * time.Millisecond

// lookTime is more than those take who lock a thing only to see whether somebody has it.
const lookTime = 10 * time.Millisecond

// numberFile is locked while a number is given out, and has the last one.
const numberFile = ".number"

// ErrBusy is the error for who does not want to wait.
var ErrBusy = errors.New("it is busy")

// ErrGone says that the line's directory was removed under who waited in it.
var ErrGone = errors.New("what was waited for is gone")

// Line is the directory of the tickets. It is made when the first one is taken; its parent must be there.
type Line string

// Wish is who wants what there is to wait for, and how.
type Wish struct {
	Entry
	NoWait  bool            // rather end with ErrBusy than wait
	Waiting func(place int) // told the place in line, from 1, when waiting begins and when the place changes
}

// Wait calls try until it says true or fails, but only while nobody who came earlier waits. waited tells whether it took
// a ticket. When ctx ends Wait leaves the line and returns the cause.
func (l Line) Wait(ctx context.Context, w Wish, try func() (bool, error)) (waited bool, err error) {
	before, err := l.tickets()
	if err != nil {
		return false, err
	}
	if len(before) == 0 {
		if ok, err := try(); ok || err != nil {
			return false, err
		}
	}
	if w.NoWait && len(before) == 0 {
		time.Sleep(lookTime)
		if ok, err := try(); ok || err != nil {
			return false, err
		}
	}
	if w.NoWait {
		return false, ErrBusy
	}
	t, err := l.take(w.Entry)
	if err != nil {
		return false, err
	}
	defer t.leave()
	for place := 0; ; {
		ahead, err := t.ahead()
		if err != nil {
			return true, err
		}
		if ahead == 0 {
			if ok, err := try(); ok || err != nil {
				return true, err
			}
		}
		if place != ahead+1 {
			place = ahead + 1
			if w.Waiting != nil {
				w.Waiting(place)
			}
		}
		select {
		case <-ctx.Done():
			return true, context.Cause(ctx)
		case <-time.After(poll):
		}
	}
}

// Waiting lists who waits, the first in line first.
func (l Line) Waiting() ([]Entry, error) {
	numbers, err := l.tickets()
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(numbers))
	for _, n := range numbers {
		data, err := os.ReadFile(l.path(n))
		if err != nil {
			continue // has just left
		}
		var e Entry
		_ = json.Unmarshal(data, &e) // who could not write down who he is waits all the same
		entries = append(entries, e)
	}
	return entries, nil
}

func (l Line) path(n uint64) string { return filepath.Join(string(l), strconv.FormatUint(n, 10)) }

// tickets returns the numbers of the live tickets in order, and removes the dead ones.
func (l Line) tickets() ([]uint64, error) {
	numbers, err := l.numbers()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(numbers, func(n uint64) bool { return !l.alive(n) }), nil
}

// numbers returns the numbers of all tickets, live or dead, in order.
func (l Line) numbers() ([]uint64, error) {
	d, err := os.Open(string(l))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look who waits: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot look who waits: %w", err)
	}
	var numbers []uint64
	for _, name := range names {
		if n, err := strconv.ParseUint(name, 10, 64); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// alive tells whether ticket n has a holder. One without is removed: its number is never given out again.
func (l Line) alive(n uint64) bool {
	f, err := os.Open(l.path(n))
	if err != nil {
		return false
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true
	}
	if err == nil {
		_ = os.Remove(l.path(n)) // else the next who looks does it
	}
	return false
}

// ticket is a place in line.
type ticket struct {
	line   Line
	number uint64
	file   *os.File
}

// take gets the next number.
func (l Line) take(e Entry) (*ticket, error) {
	fail := func(err error) error { return fmt.Errorf("cannot get in line: %w", err) }
	if err := os.Mkdir(string(l), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrGone
		}
		return nil, fail(err)
	}
	f, err := os.OpenFile(filepath.Join(string(l), numberFile), os.O_CREATE|os.O_RDWR, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, fail(err)
	}
	defer f.Close()
	if err := lock(f, unix.LOCK_EX); err != nil { // for some microseconds
		return nil, fail(err)
	}
	n, err := l.next(f)
	if err != nil {
		return nil, fail(err)
	}
	t, err := l.issue(n, e)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, fail(err)
	}
	return t, nil
}

// next counts on. The file is not forced to the disk: after a crash of the host there is no ticket, and if there is, its
// number is seen.
func (l Line) next(f *os.File) (uint64, error) {
	var buf [20]byte
	k, err := f.ReadAt(buf[:], 0)
	if err != nil && k == 0 && !errors.Is(err, io.EOF) {
		return 0, err
	}
	last, _ := strconv.ParseUint(strings.TrimSpace(string(buf[:k])), 10, 64)
	numbers, err := l.numbers()
	if err != nil {
		return 0, err
	}
	if len(numbers) > 0 {
		last = max(last, numbers[len(numbers)-1])
	}
	last++
	_, err = f.WriteAt(fmt.Appendf(nil, "%020d", last), 0) // of one length, so that nothing of before stays
	return last, err
}

// issue makes the ticket. It has its name only when it is locked, or somebody would take it for a dead one.
func (l Line) issue(n uint64, e Entry) (*ticket, error) {
	blank := filepath.Join(string(l), ".blank")
	_ = os.Remove(blank) // of somebody who was killed here
	f, err := os.OpenFile(blank, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err = lock(f, unix.LOCK_EX|unix.LOCK_NB); err == nil {
		_, _ = f.WriteString(e.Line()) // a disk that is full keeps nobody from waiting
		err = os.Rename(blank, l.path(n))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &ticket{line: l, number: n, file: f}, nil
}

// ahead counts the live tickets with lower numbers.
func (t *ticket) ahead() (int, error) {
	mine, err := t.file.Stat()
	if err != nil {
		return 0, err
	}
	named, err := os.Stat(t.line.path(t.number))
	if err != nil || !os.SameFile(mine, named) {
		return 0, ErrGone
	}
	numbers, err := t.line.numbers()
	if err != nil {
		return 0, err
	}
	count := 0
	for _, n := range numbers {
		if n < t.number && t.line.alive(n) {
			count++
		}
	}
	return count, nil
}

// leave gives the place up.
func (t *ticket) leave() {
	if mine, err := t.file.Stat(); err == nil {
		if named, err := os.Stat(t.line.path(t.number)); err == nil && os.SameFile(mine, named) {
			_ = os.Remove(t.line.path(t.number)) // else it is dead in a moment
		}
	}
	_ = t.file.Close()
}

// lock is flock, once more when a signal came between.
func lock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
