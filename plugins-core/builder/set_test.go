package builder

import "testing"

func TestCleanDir(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"app": "app", "app/": "app", "./app//web/": "app/web", "a/../b": "b", "..a": "..a", "a b": "a b",
		".": "", "./": "", "..": "", "../a": "", "a/../..": "", "/a": "", "a\nb": "", "a\x7f": "", "a\x00b": "",
	} {
		got, err := cleanDir(value)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", value, got, err, want)
		}
	}
}
