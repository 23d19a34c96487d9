package builder

import (
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
)

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

func TestCheckLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key       string
		good, bad []string
	}{
		{deploy.BuildMemoryKey, []string{"512m", "2g", "6M", "2G", "6291456", "6291456b", "8192k"},
			[]string{"5m", "m", "-1g", "1.5g", "2gb", "2 g", "x", "18446744073709551615g", "99999999999g"}},
		{deploy.BuildCPUsKey, []string{"1", "0.5", "1.5", "64", ".5"},
			[]string{"0", "0.001", "-1", "1e3", "inf", "NaN", "0x1", "1,5", "9999", "1.2.3", "."}},
		{deploy.BuildTimeoutKey, []string{"1", "600", "10m", "1h30m", "90s"},
			[]string{"0", "-5", "1w", "m", "8d", "999999999", "99999999999999999999", "100ms"}},
	} {
		for _, v := range c.good {
			if err := checkLimit(c.key, v); err != nil {
				t.Errorf("%s %q: %v", c.key, v, err)
			}
		}
		for _, v := range c.bad {
			if checkLimit(c.key, v) == nil {
				t.Errorf("%s %q: is taken", c.key, v)
			}
		}
	}
}
