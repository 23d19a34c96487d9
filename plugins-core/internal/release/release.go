// Package release owns the releases of an app: one record for each attempt to put something in service, numbered from
// 1, in APP/releases/N.json.
//
// What a release is made of (image, revision, variables, process counts, host names) is written once, when it begins,
// and never changes. Its outcome moves forward only. The current release is the highest one that is [Deployed], so one
// record that is replaced as a whole is the moment at which a deploy has happened; a record that is still [Deploying]
// or [Reverting] is the journal from which a crash is recovered.
package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// Env is the environment variable that tells hooks of a deploy the number of the release that is being made.
const Env = "DOKKU_RELEASE"

// Outcome is how far a release has come.
type Outcome string

// Outcomes. Deploying and Reverting are those of releases that somebody works on, or died working on.
const (
	Deploying   Outcome = "deploying"   // not in service yet
	Deployed    Outcome = "deployed"    // in service, or was until a later one came
	Failed      Outcome = "failed"      // never came into service
	Interrupted Outcome = "interrupted" // whoever deployed it died, and the release before went on
	Reverting   Outcome = "reverting"   // was in service and is being taken back
	Reverted    Outcome = "reverted"    // was in service, crashed, and the release before is back
)

// Release is one release of an app.
type Release struct {
	App           string            `json:"app"`
	Number        int               `json:"number"`
	Cause         string            `json:"cause"`                 // push, config, scale, restart, start, rollback, ...
	Previous      int               `json:"previous"`              // the release that was current before; 0: none
	RollbackOf    int               `json:"rollback_of,omitempty"` // the release that this one repeats
	Revision      string            `json:"revision,omitempty"`    // git commit; "" when the source is in no repository
	Branch        string            `json:"branch,omitempty"`      // of git, that was pushed
	Image         string            `json:"image"`                 // id in the engine
	Config        map[string]string `json:"config"`                // the app's own variables
	Processes     map[string]int    `json:"processes"`             // count by type
	Domains       []string          `json:"domains"`               // the app's own host names; null: derived from the global one
	Ports         map[string]int    `json:"ports"`                 // port in the container by process type
	DockerOptions []string          `json:"docker_options"`        // options of `docker run` that plugins gave
	Files         map[string]string `json:"files,omitempty"`       // other settings, by the name of the state file
	By            By                `json:"by"`
	Began         time.Time         `json:"began"`
	Ended         time.Time         `json:"ended,omitzero"`
	Outcome       Outcome           `json:"outcome"`
	Reason        string            `json:"reason,omitempty"` // why it did not stay
	Output        string            `json:"output,omitempty"` // the last that its containers said, when they crashed
	Phases        []Phase           `json:"phases"`
	Build         *Build            `json:"build,omitempty"` // what its image was built from, where that can be told

	// Before is the text of the settings that a rollback replaces, to be put back when it does not come to its end;
	// null where there was no such file. It is dropped when the release
	// cannot be taken back any more.
	Before map[string]*string `json:"before,omitempty"`
}

// Build is what is remembered of the build of an image, so that the same need not be built again.
type Build struct {
	Key     string `json:"key"`               // hash of all that it depends on
	Image   string `json:"image"`             // id of what was built, before any hook of a release changed it
	Release int    `json:"release,omitempty"` // the release that it was built for; 0: the one of this record
}

// Again is what the record of a later release than r, whose build this is, keeps of it.
func (b *Build) Again(r *Release) *Build {
	if b == nil || b.Release != 0 {
		return b
	}
	later := *b
	later.Release = r.Number
	return &later
}

// By is who made a release.
type By struct {
	Name        string `json:"name"`                  // of the key; "default" when nobody came by ssh
	Fingerprint string `json:"fingerprint,omitempty"` // of the key
	User        string `json:"user,omitempty"`        // of the host
}

// Phase is a part of a deploy and the seconds that it took.
type Phase struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// Seconds returns how long all phases took together.
func (r *Release) Seconds() float64 {
	sum := 0.0
	for _, p := range r.Phases {
		sum += p.Seconds
	}
	return sum
}

// Name is the release's name, such as v3.
func (r *Release) Name() string { return Name(r.Number) }

// Name is the name of the release of that number.
func Name(n int) string { return "v" + strconv.Itoa(n) }

// Parse reads a release's name: v3, or 3.
func Parse(name string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "v"))
	if err != nil || n < 1 || len(name) > 10 {
		return 0, fmt.Errorf("cannot read %q as a release: give v and its number, such as v3", name)
	}
	return n, nil
}

// Port is the port on which processes of that type listen in their containers; 0 when they have none. It may be asked of
// no release, for a deploy without a record.
func (r *Release) Port(kind string) int {
	if r != nil && r.Ports[kind] != 0 {
		return r.Ports[kind]
	}
	if kind == "web" {
		return app.Port
	}
	return 0
}

func dir(a app.App) string { return a.Path("releases") }

func file(a app.App, n int) string { return filepath.Join(dir(a), strconv.Itoa(n)+".json") }

// numbers lists the numbers of the app's releases, the newest first.
func numbers(a app.App) ([]int, error) {
	entries, err := os.ReadDir(dir(a))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the releases of %q: %w", a.Name, err)
	}
	var out []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.Atoi(name); ok && err == nil && n > 0 && strconv.Itoa(n) == name {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(x, y int) int { return y - x })
	return out, nil
}

// NotFoundError says that there is no release of that number.
type NotFoundError struct {
	App    string
	Number int
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("cannot find release v%d of %q: see dokku releases %s", e.Number, e.App, e.App)
}

// Read returns the app's release of that number.
func Read(a app.App, n int) (*Release, error) {
	data, err := os.ReadFile(file(a, n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NotFoundError{App: a.Name, Number: n}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read release v%d of %q: %w", n, a.Name, err)
	}
	r := &Release{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("cannot read release v%d of %q: %w", n, a.Name, err)
	}
	if r.Number != n {
		return nil, fmt.Errorf("cannot read release v%d of %q: its record says v%d", n, a.Name, r.Number)
	}
	r.App = a.Name // which may have had another name then
	return r, nil
}

// List returns all releases of the app that are on record, the newest first.
func List(a app.App) ([]*Release, error) {
	list, err := numbers(a)
	if err != nil {
		return nil, err
	}
	out := make([]*Release, 0, len(list))
	for _, n := range list {
		r, err := Read(a, n)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// find returns the newest release that is good; nil when there is none.
func find(a app.App, good func(*Release) bool) (*Release, error) {
	list, err := numbers(a)
	if err != nil {
		return nil, err
	}
	for _, n := range list {
		r, err := Read(a, n)
		if err != nil {
			return nil, err
		}
		if good(r) {
			return r, nil
		}
	}
	return nil, nil
}

// Current returns the release that is in service; nil when none is.
func Current(a app.App) (*Release, error) {
	return find(a, func(r *Release) bool { return r.Outcome == Deployed })
}

// Before returns the release that was in service before release n, to which one goes back from there; nil when there is
// none.
func Before(a app.App, n int) (*Release, error) {
	return find(a, func(r *Release) bool { return r.Outcome == Deployed && r.Number < n })
}

// Any tells whether the app has releases on record.
func Any(a app.App) (bool, error) {
	list, err := numbers(a)
	return len(list) > 0, err
}

// Unfinished returns the release that somebody works on, or died working on; nil when there is none. Only the newest
// one can be unfinished: the next begins when it is finished.
func Unfinished(a app.App) (*Release, error) {
	newest, err := find(a, func(*Release) bool { return true })
	if err != nil || newest == nil || (newest.Outcome != Deploying && newest.Outcome != Reverting) {
		return nil, err
	}
	return newest, nil
}

// Begin numbers and writes a new release, which is the journal of its deploy from then on. The caller holds the app's
// lock.
func Begin(a app.App, r *Release) error {
	if err := record.MkdirAll(dir(a), 0o700); err != nil {
		return err
	}
	list, err := numbers(a)
	if err != nil {
		return err
	}
	r.App, r.Number, r.Outcome, r.Began = a.Name, 1, Deploying, time.Now().UTC().Round(time.Millisecond)
	if len(list) > 0 {
		r.Number = list[0] + 1
	}
	return r.write(a)
}

// write replaces the record. Variables are in it, so nobody else may read it.
func (r *Release) write(a app.App) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return record.Write(file(a, r.Number), append(data, '\n'), 0o600)
}

// Note keeps what is only known while the release is being made: its image once plugins have changed it, its ports, the
// options of plugins and what took how long.
func (r *Release) Note(a app.App) error {
	if r.Outcome != Deploying {
		return fmt.Errorf("cannot change release v%d of %q: it is %s", r.Number, a.Name, r.Outcome)
	}
	return r.write(a)
}

// next returns the outcomes that may follow one.
func next(o Outcome) []Outcome {
	switch o {
	case Deploying:
		return []Outcome{Deployed, Failed, Interrupted}
	case Deployed:
		return []Outcome{Reverting}
	case Reverting:
		return []Outcome{Reverted}
	}
	return nil
}

// Finish moves the release on to outcome. With [Deployed] that is the moment at which the deploy has happened.
func (r *Release) Finish(a app.App, outcome Outcome, reason string) error {
	if !slices.Contains(next(r.Outcome), outcome) {
		return fmt.Errorf("cannot call release v%d of %q %s: it is %s", r.Number, a.Name, outcome, r.Outcome)
	}
	before := *r
	r.Outcome = outcome
	if outcome != Deployed && outcome != Reverting { // which may still be taken back
		r.Before = nil
	}
	if outcome != Deployed {
		r.Reason = reason
	}
	if outcome != Reverting {
		r.Ended = time.Now().UTC().Round(time.Millisecond)
	}
	if err := r.write(a); err != nil {
		*r = before
		return err
	}
	return nil
}
