package release_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

func newApp(t *testing.T) app.App {
	t.Helper()
	a := app.App{Name: "one", Root: t.TempDir()}
	if err := os.Mkdir(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	return a
}

// made is a release that came to that outcome.
func made(t *testing.T, a app.App, image string, outcomes ...release.Outcome) *release.Release {
	t.Helper()
	r := &release.Release{Image: image}
	if err := release.Begin(a, r); err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		if err := r.Finish(a, o, "because"); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func number(r *release.Release) int {
	if r == nil {
		return 0
	}
	return r.Number
}

// TestOutcomes has releases come to all of their ends: the current one is the newest that is deployed.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	look := func(wantCurrent, wantUnfinished int) {
		t.Helper()
		current, err := release.Current(a)
		if err != nil || number(current) != wantCurrent {
			t.Errorf("got v%d current, %v, want v%d", number(current), err, wantCurrent)
		}
		unfinished, err := release.Unfinished(a)
		if err != nil || number(unfinished) != wantUnfinished {
			t.Errorf("got v%d unfinished, %v, want v%d", number(unfinished), err, wantUnfinished)
		}
	}
	look(0, 0)
	made(t, a, "a", release.Deployed)
	look(1, 0)
	made(t, a, "b", release.Failed)
	look(1, 0)
	made(t, a, "c")
	look(1, 3)
	r, err := release.Read(a, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(a, release.Interrupted, "it died"); err != nil {
		t.Fatal(err)
	}
	look(1, 0)
	r = made(t, a, "d", release.Deployed)
	look(4, 0)
	for _, never := range []release.Outcome{release.Deploying, release.Deployed, release.Failed, release.Interrupted, release.Reverted} {
		if err := r.Finish(a, never, ""); err == nil || r.Outcome != release.Deployed {
			t.Errorf("a release that is deployed became %s", never)
		}
	}
	if err := r.Note(a); err == nil {
		t.Error("a release that is deployed was changed")
	}
	if err := r.Finish(a, release.Reverting, "it crashes"); err != nil {
		t.Fatal(err)
	}
	look(1, 4)
	if err := r.Finish(a, release.Reverted, "it crashes"); err != nil {
		t.Fatal(err)
	}
	look(1, 0)
	if got, err := release.Read(a, 4); err != nil || got.Reason != "it crashes" || got.Ended.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
	if st, err := os.Stat(a.Path("releases/4.json")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a record that only its owner reads", st.Mode(), err)
	}
}

// TestClock makes releases while the clock is put back: what counts is their number.
func TestClock(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for range 3 {
		made(t, a, "x", release.Deployed)
	}
	for n, at := range map[int]string{1: "2030-01-01T00:00:00Z", 2: "2026-01-01T00:00:00Z", 3: "1970-01-01T00:00:01Z"} {
		path := a.Path(fmt.Sprintf("releases/%d.json", n))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		i := strings.Index(string(data), `"began": "`) + len(`"began": "`)
		j := i + strings.IndexByte(string(data[i:]), '"')
		if err := os.WriteFile(path, []byte(string(data[:i])+at+string(data[j:])), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	current, err := release.Current(a)
	if err != nil || number(current) != 3 || current.Began.Year() != 1970 {
		t.Errorf("got v%d of %v, %v, want v3", number(current), current.Began, err)
	}
	list, err := release.List(a)
	if err != nil || len(list) != 3 || list[0].Number != 3 || list[2].Number != 1 {
		t.Errorf("got %v, %v, want the newest number first", list, err)
	}
	if r := made(t, a, "y"); r.Number != 4 {
		t.Errorf("got v%d, want v4", r.Number)
	}
}

// TestTorn reads records that are none.
func TestTorn(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	made(t, a, "a", release.Deployed)
	for _, text := range []string{"", "{", `{"number": 7}`} {
		if err := os.WriteFile(a.Path("releases/2.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := release.Current(a); err == nil || !strings.Contains(err.Error(), "v2") {
			t.Errorf("%q: got %v, want an error that names the release", text, err)
		}
	}
	if err := os.Rename(a.Path("releases/2.json"), a.Path("releases/02.json")); err != nil {
		t.Fatal(err)
	}
	if current, err := release.Current(a); err != nil || number(current) != 1 {
		t.Errorf("a file that is no record: got v%d, %v", number(current), err)
	}
}

// TestKept goes through a history: which images are kept, and where a rollback leads.
func TestKept(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, image := range []string{"a", "b", "b", "-c", "d", "e"} {
		outcome := release.Deployed
		if image[0] == '-' {
			outcome = release.Failed
		}
		made(t, a, image, outcome)
	}
	list, err := release.List(a)
	if err != nil {
		t.Fatal(err)
	}
	for retain, want := range []string{"[6]", "[6 5]", "[6 5 3 2]", "[6 5 3 2 1]", "[6 5 3 2 1]"} {
		var got []int
		for _, r := range release.Kept(list, retain) {
			got = append(got, r.Number)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("retain %d: got %v, want %s", retain, got, want)
		}
	}
	kept := release.Kept(list, 2)
	for n, want := range map[int]string{0: "v5", 5: "v5", 6: "v6", 3: "v3", 4: "that release is failed", 1: "its image is not kept", 9: "cannot find release v9"} {
		to, err := release.Target(list, kept, n, "one")
		if got := fmt.Sprint(err); err == nil && to.Name() != want || err != nil && !strings.Contains(got, want) {
			t.Errorf("to %d: got %v, %v, want %s", n, to, err, want)
		}
	}
	// Rolling back again goes further back, until there is nothing.
	for _, want := range []int{5, 3, 2, 1} {
		if list, err = release.List(a); err != nil {
			t.Fatal(err)
		}
		to, err := release.Target(list, release.Kept(list, 9), 0, "one")
		if err != nil || to.Number != want {
			t.Fatalf("got v%d, %v, want v%d", number(to), err, want)
		}
		r := &release.Release{Image: to.Image, RollbackOf: to.Number}
		if err := release.Begin(a, r); err != nil {
			t.Fatal(err)
		}
		if err := r.Finish(a, release.Deployed, ""); err != nil {
			t.Fatal(err)
		}
	}
	if list, err = release.List(a); err != nil {
		t.Fatal(err)
	}
	if to, err := release.Target(list, release.Kept(list, 9), 0, "one"); err == nil {
		t.Errorf("got v%d, want an error", to.Number)
	}
}

// TestPruneRecords keeps the last hundred records and those that somebody can go back to.
func TestPruneRecords(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	made(t, a, "first", release.Deployed)
	for range 120 {
		made(t, a, "bad", release.Failed)
	}
	list, err := release.List(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := release.PruneRecords(a, list, release.Kept(list, 5)); err != nil {
		t.Fatal(err)
	}
	if list, err = release.List(a); err != nil || len(list) != 101 || list[0].Number != 121 || list[100].Number != 1 {
		t.Errorf("got %d records, %v, want 101 with the first among them", len(list), err)
	}
}

// TestSettings goes to the settings of a release and back, but not over what somebody has set meanwhile.
func TestSettings(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(a.Path(file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := func() string {
		var out []string
		for _, file := range []string{"ENV", "DOKKU_SCALE", "VHOST", "DOCKER_OPTIONS_DEPLOY"} {
			data, err := os.ReadFile(a.Path(file))
			if err != nil {
				data = []byte("-")
			}
			out = append(out, string(data))
		}
		return strings.Join(out, "|")
	}
	write("ENV", "export A='1'\n")
	write("VHOST", "one.test\ntwo.test\n")
	write("DOCKER_OPTIONS_DEPLOY", "--memory 1g\n")
	old := &release.Release{}
	if err := old.Observe(a); err != nil {
		t.Fatal(err)
	}
	if old.Config["A"] != "1" || old.Processes["web"] != 1 || !slices.Equal(old.Domains, []string{"one.test", "two.test"}) {
		t.Errorf("got %+v", old)
	}
	write("ENV", "export A='2'\n")
	write("DOKKU_SCALE", "web=3\n")
	for _, file := range []string{"VHOST", "DOCKER_OPTIONS_DEPLOY"} {
		if err := os.Remove(a.Path(file)); err != nil {
			t.Fatal(err)
		}
	}
	now := state()
	if err := old.Remember(a); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more after a crash
		if err := old.Apply(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := state(), "export A='1'\n|web=1\n|one.test\ntwo.test\n|--memory 1g\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for range 2 {
		if err := old.Undo(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if got := state(); got != now {
		t.Errorf("got %q, want %q again", got, now)
	}
	if err := old.Apply(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	write("ENV", "export A='3'\n")
	if err := old.Undo(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if got, want := state(), "export A='3'\n|web=3\n|-|-"; got != want {
		t.Errorf("got %q, want %q: what was set meanwhile stays", got, want)
	}
	if (&release.Release{}).Undo(t.Context(), a) != nil {
		t.Error("a release that is no rollback has nothing to undo")
	}
}

// TestEvents keeps lines of many writers, and no more than two files of them.
func TestEvents(t *testing.T) {
	t.Parallel()
	s := settings.Settings{Env: []string{settings.LibRoot + "=" + t.TempDir()}}
	if got, err := release.Events(s, "", 10); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v before there was any", got, err)
	}
	file := filepath.Join(s.Data(release.Plugin), "events.log")
	for i := range 6 {
		if err := release.Tell(s, release.Event{App: []string{"one", "two"}[i%2], What: fmt.Sprint("event ", i), Text: "with\na line"}); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"app": "one", "wh`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	got, err := release.Events(s, "one", 2)
	if err != nil || len(got) != 2 || got[0].What != "event 2" || got[1].What != "event 4" || got[1].Text != "with\na line" {
		t.Errorf("got %v, %v", got, err)
	}
	if err := os.Truncate(file, 2<<20); err != nil {
		t.Fatal(err)
	}
	if err := release.Tell(s, release.Event{App: "one", What: "later"}); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Size() > 1000 {
		t.Errorf("got %v, %v, want a new file", st, err)
	}
	if got, err = release.Events(s, "", 3); err != nil || got[len(got)-1].What != "later" || time.Since(got[len(got)-1].At) > time.Minute {
		t.Errorf("got %v, %v", got, err)
	}
}

// FuzzParse reads what people type for a release.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"v1", "1", "v0", "v-1", "v", "", "vv1", "v99999999999999999999", " v1", "v1 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := release.Parse(s)
		if err == nil && (n < 1 || strings.TrimLeft(strings.TrimPrefix(s, "v"), "0+") != fmt.Sprint(n)) {
			t.Errorf("%q is read as %d", s, n)
		}
	})
}
