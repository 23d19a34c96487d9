package plug_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

func TestParseFinding(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]plug.Finding{
		`{"level":"ok","check":"disk"}`:                                                     {Level: plug.OK, Check: "disk"},
		`{"level":"warning","check":"dns","app":"x","problem":"p"}`:                         {Level: plug.Warning, Check: "dns", App: "x", Problem: "p"},
		`{"level":"violation","check":"git","app":"x","problem":"<&>","do":"d","more":"1"}`: {Level: plug.Violation, Check: "git", App: "x", Problem: "<&>", Do: "d"},
	} {
		got, ok := plug.ParseFinding(line)
		if !ok || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", line, got, ok, want)
		}
		if again, ok := plug.ParseFinding(strings.TrimSuffix(got.String(), "\n")); !ok || again != want || strings.Count(got.String(), "\n") != 1 {
			t.Errorf("%s: got %+v, %v back from %q", line, again, ok, got)
		}
	}
	for _, line := range []string{"", "text", "{", "{}", `{"level":"bad","check":"x","problem":"p"}`, `{"level":"violation","check":"x"}`,
		`{"level":"ok"}`, `["level"]`, `{"level":1,"check":"x","problem":"p"}`} {
		if f, ok := plug.ParseFinding(line); ok {
			t.Errorf("%q: got %+v, want that it is no finding", line, f)
		}
	}
}

func FuzzParseFinding(f *testing.F) {
	f.Add(`{"level":"warning","check":"dns","app":"x","problem":"p","do":"d"}`)
	f.Add("{")
	f.Fuzz(func(t *testing.T, line string) {
		got, ok := plug.ParseFinding(line)
		if !ok {
			return
		}
		if again, ok := plug.ParseFinding(strings.TrimSpace(got.String())); !ok || again != got {
			t.Errorf("got %+v back from %q", again, got)
		}
	})
}

// TestDiagnose prints findings by area and app, and that an area without any is well.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	hook := plug.Diagnose([]string{"first", "second", "third"}, func(_ context.Context, _ *plug.C, d *plug.Diagnosis) {
		d.Warning("second", "b", "do it", "two\nlines %d", 1)
		d.Note("third", "c", "noted")
		d.Violation("second", "a", "", "bad")
	})
	var out bytes.Buffer
	if err := hook(t.Context(), &plug.C{Call: &pluginhook.Call{Stdout: &out}}); err != nil {
		t.Fatal(err)
	}
	want := `{"level":"ok","check":"first"}
{"level":"violation","check":"second","app":"a","problem":"bad"}
{"level":"warning","check":"second","app":"b","problem":"two lines 1","do":"do it"}
{"level":"ok","check":"third"}
{"level":"ok","check":"third","app":"c","problem":"noted"}
`
	if out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
}
