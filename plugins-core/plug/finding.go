package plug

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

// Level is how bad a finding is.
type Level string

// Levels. A violation is something that is never so when all works as it should; a warning may be meant.
const (
	OK        Level = "ok"
	Warning   Level = "warning"
	Violation Level = "violation"
)

// Finding is what a look at the host, or at an app, has found. The hook `doctor-check` prints one a line, as JSON.
type Finding struct {
	Level   Level  `json:"level"`
	Check   string `json:"check"`             // the area, such as "containers"
	App     string `json:"app,omitempty"`     // "": it is about the host
	Problem string `json:"problem,omitempty"` // what is wrong; of an area that is all right: nothing
	Do      string `json:"do,omitempty"`      // what mends it
	Plugin  string `json:"plugin,omitempty"`  // who says so
}

// ParseFinding reads a line of a doctor-check; ok is false for one that is no finding.
func ParseFinding(line string) (f Finding, ok bool) {
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &f) != nil {
		return Finding{}, false
	}
	known := f.Level == OK || f.Level == Warning || f.Level == Violation
	return f, known && f.Check != "" && (f.Level == OK || f.Problem != "")
}

// String is the finding as a line.
func (f Finding) String() string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(f) // nothing in it can fail, and a buffer takes all
	return out.String()
}

// Diagnosis collects the findings of one doctor-check. Several goroutines may add to it.
type Diagnosis struct {
	mu       sync.Mutex
	areas    []string
	findings []Finding
}

// Diagnose is a doctor-check: f looks at all and tells what it finds. An area in which it finds nothing is well.
func Diagnose(areas []string, f func(ctx context.Context, c *C, d *Diagnosis)) Hook {
	return func(ctx context.Context, c *C) error {
		d := &Diagnosis{areas: areas}
		f(ctx, c, d)
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, area := range areas {
			if !slices.ContainsFunc(d.findings, func(f Finding) bool { return f.Check == area && f.Level != OK }) {
				d.findings = append(d.findings, Finding{Level: OK, Check: area})
			}
		}
		slices.SortStableFunc(d.findings, func(x, y Finding) int {
			if c := slices.Index(areas, x.Check) - slices.Index(areas, y.Check); c != 0 {
				return c
			}
			return strings.Compare(x.App, y.App)
		})
		for _, f := range d.findings {
			fmt.Fprint(c.Stdout, f)
		}
		return nil
	}
}

func (d *Diagnosis) add(f Finding) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.findings = append(d.findings, f)
}

// Violation adds what is wrong in an area, with an app (name "": with the host), and what mends it.
func (d *Diagnosis) Violation(area, name, do, problem string, args ...any) {
	d.add(Finding{Level: Violation, Check: area, App: name, Do: do, Problem: oneLine(fmt.Sprintf(problem, args...))})
}

// Warning adds what may be wrong.
func (d *Diagnosis) Warning(area, name, do, problem string, args ...any) {
	d.add(Finding{Level: Warning, Check: area, App: name, Do: do, Problem: oneLine(fmt.Sprintf(problem, args...))})
}

// Note adds what is worth to know and not wrong.
func (d *Diagnosis) Note(area, name, text string, args ...any) {
	d.add(Finding{Level: OK, Check: area, App: name, Problem: oneLine(fmt.Sprintf(text, args...))})
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// EachApp has f look at the app that the call names, else at every app, some at a time. An app that somebody works on
// is left out, and what f found of one on which somebody has worked meanwhile is dropped: f looks again, as often as
// patience lasts.
func (d *Diagnosis) EachApp(c *C, f func(a app.App, d *Diagnosis)) {
	root := c.Settings().Root()
	names := c.Args
	if len(names) == 0 {
		names, _ = app.List(root) // plugin apps says what is wrong with that directory
	}
	var group errgroup.Group
	group.SetLimit(8)
	for _, name := range names {
		group.Go(func() error {
			a, err := app.Find(root, name)
			if err != nil {
				return nil // destroyed meanwhile
			}
			for range 3 {
				before, idle := a.Idle()
				if !idle {
					return nil
				}
				own := &Diagnosis{}
				f(a, own)
				if after, idle := a.Idle(); !idle || !a.Exists() {
					return nil
				} else if after == before {
					d.mu.Lock()
					defer d.mu.Unlock()
					d.findings = append(d.findings, own.findings...)
					return nil
				}
			}
			return nil
		})
	}
	_ = group.Wait() // nothing in there fails
}

// Space looks at how much of the file system of a directory is free.
func (d *Diagnosis) Space(area, dir, do string) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		d.Warning(area, "", "see that the directory is there", "cannot tell how much of %s is free: %v", dir, err)
		return
	}
	percent := func(free, all uint64) uint64 { return free * 100 / max(1, all) }
	switch free := percent(st.Bavail, st.Blocks-st.Bfree+st.Bavail); {
	case st.Files > 0 && st.Ffree == 0:
		d.Violation(area, "", do, "the file system of %s has no inodes left: nothing can be written", dir)
	case free < 2:
		d.Violation(area, "", do, "the file system of %s has %d %% free: nothing can be built or kept", dir, free)
	case free < 10:
		d.Warning(area, "", do, "the file system of %s has %d %% free", dir, free)
	case st.Files > 0 && percent(st.Ffree, st.Files) < 10:
		d.Warning(area, "", do, "the file system of %s has %d %% of its inodes free", dir, percent(st.Ffree, st.Files))
	}
}
