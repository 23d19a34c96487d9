package dockerapi

import (
	"strings"
	"testing"
)

// TestTail writes to a buffer that keeps the last five bytes.
func TestTail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		writes []string
		want   string
	}{
		{nil, ""},
		{[]string{"abc"}, "abc"},
		{[]string{"abc", "", "de"}, "abcde"},
		{[]string{"abc", "def"}, "bcdef"},
		{[]string{"abcdefgh"}, "defgh"},
		{[]string{"abc", "defghijk", "l"}, "hijkl"},
	} {
		b := &tail{limit: 5}
		for _, s := range c.writes {
			if n, err := b.Write([]byte(s)); n != len(s) || err != nil {
				t.Errorf("%q: got %d, %v", s, n, err)
			}
		}
		if b.String() != c.want {
			t.Errorf("%q: got %q, want %q", strings.Join(c.writes, "|"), b.String(), c.want)
		}
	}
}
