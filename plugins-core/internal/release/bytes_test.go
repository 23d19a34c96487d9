package release_test

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/release"
)

// TestBytes keeps settings that are no UTF-8, and finds them to the byte; a record without any has nothing of it.
func TestBytes(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	env := "export BAD='\xff'\n"
	r := &release.Release{
		Image: "<a>", Config: map[string]string{"BAD": "a\xff\xfe", "GOOD": "<é>"},
		Files: map[string]string{"DOCKER_OPTIONS_RUN": "-e A=\xff\n"}, Before: map[string]*string{"ENV": &env, "VHOST": nil},
	}
	if err := release.Begin(a, r); err != nil {
		t.Fatal(err)
	}
	got, err := release.Read(a, 1)
	if err != nil {
		t.Fatal(err)
	}
	vhost, there := got.Before["VHOST"]
	if !maps.Equal(got.Config, r.Config) || !maps.Equal(got.Files, r.Files) || len(got.Before) != 2 || *got.Before["ENV"] != env || vhost != nil || !there {
		t.Errorf("got %q, %q, %v, want %q, %q", got.Config, got.Files, got.Before, r.Config, r.Files)
	}
	text, err := os.ReadFile(a.Path("releases/1.json"))
	if err != nil || !strings.Contains(string(text), "\"config_base64\": {\n    \"BAD\": \"Yf/+\"\n  }") {
		t.Errorf("got %s, %v", text, err)
	}
	made(t, a, "plain")
	if text, err = os.ReadFile(a.Path("releases/2.json")); err != nil || strings.Contains(string(text), "base64") {
		t.Errorf("without such values: got %s, %v", text, err)
	}
}

// FuzzBytes keeps any value.
func FuzzBytes(f *testing.F) {
	f.Add("\xff\xfe")
	f.Add("<é>\u2028\x00")
	f.Fuzz(func(t *testing.T, value string) {
		r := &release.Release{Config: map[string]string{"A": value}, Files: map[string]string{"B": value}, Before: map[string]*string{"C": &value}}
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		got := &release.Release{}
		if err := json.Unmarshal(data, got); err != nil {
			t.Fatal(err)
		}
		if got.Config["A"] != value || got.Files["B"] != value || *got.Before["C"] != value {
			t.Errorf("got %q, %q, %q, want %q", got.Config["A"], got.Files["B"], *got.Before["C"], value)
		}
	})
}
