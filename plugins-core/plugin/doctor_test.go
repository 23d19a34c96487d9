package plugin

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestHookNames compares the names that a plugin's file is taken for a hook by with those of the documentation.
func TestHookNames(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/hooks.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		want = append(want, m[1])
	}
	slices.Sort(want)
	if got := strings.Fields(hookNames); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
