package scale_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]scale.Process{
		"":                                 nil,
		"\n# web=1\n":                      nil,
		"web=1\n":                          {{Type: "web", Count: 1}},
		"web=0":                            {{Type: "web", Count: 0}},
		"worker=2\r\nweb=100\r\n":          {{Type: "worker", Count: 2}, {Type: "web", Count: 100}},
		"  web= 1 \n#x\nnight_job-2=003\n": {{Type: "web", Count: 1}, {Type: "night_job-2", Count: 3}},
	} {
		if got, err := scale.Parse(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("Parse(%q): got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"web", "web=", "web=x", "web=-1", "web=101", "web=1.5", "=1", "web =1", "we b=1", "web=1=1", "web=99999999999999999999",
		"web=1 worker=1", "wéb=1", "../web=1", strings.Repeat("w", 64) + "=1", "web=1\x00", "web=1\nworker=1\nweb=2"} {
		if got, err := scale.Parse(text); err == nil {
			t.Errorf("Parse(%q): got %v, want an error", text, got)
		}
	}
}

func TestReadWrite(t *testing.T) {
	t.Parallel()
	a := app.App{Name: "one", Root: t.TempDir()}
	if err := os.Mkdir(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := scale.Read(a)
	if want := []scale.Process{{Type: "web", Count: 1}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("not set: got %v, %v, want %v", got, err, want)
	}
	want := []scale.Process{{Type: "worker", Count: 3}, {Type: "web", Count: 0}}
	if err := scale.Write(a, want); err != nil {
		t.Fatal(err)
	}
	if data := a.State("DOKKU_SCALE"); data != "worker=3\nweb=0" {
		t.Errorf("got the file %q", data)
	}
	if got, err := scale.Read(a); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if err := a.SetState("DOKKU_SCALE", "web=many"); err != nil {
		t.Fatal(err)
	}
	if _, err := scale.Read(a); err == nil || !strings.Contains(err.Error(), a.Path("DOKKU_SCALE")) || !strings.Contains(err.Error(), "web=many") {
		t.Errorf("a broken file: got %v, want an error that names file and line", err)
	}
}

// FuzzParse reads any text; what it reads is in bounds, and is written and read to the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "web=1\n", "# x\r\nweb=1\r\nworker=2", "web=1\nweb=2", "a=+1", "web=\u00a01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		counts, err := scale.Parse(text)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, p := range counts {
			if p.Count < 0 || p.Count > scale.Max || !scale.ValidType(p.Type) || seen[p.Type] {
				t.Errorf("of %q: got %v", text, p)
			}
			seen[p.Type] = true
		}
		if again, err := scale.Parse(scale.Format(counts)); err != nil || !slices.Equal(again, counts) {
			t.Errorf("of %q: got %v, %v, want %v", text, again, err, counts)
		}
	})
}
