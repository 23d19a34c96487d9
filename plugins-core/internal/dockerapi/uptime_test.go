package dockerapi

import (
	"testing"
	"time"
)

func TestProcessStart(t *testing.T) {
	tests := []struct {
		stat string
		want time.Duration
		ok   bool
	}{
		{"7 (a) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 1234 9 9", 12340 * time.Millisecond, true},
		{"7 (a) b) 1 (c) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 200 9 9", 2 * time.Second, true},
		{"7 (a) S 1 7", 0, false},
		{"7 (a) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 x 9 9", 0, false},
		{"", 0, false},
	}
	for _, test := range tests {
		if got, ok := processStart([]byte(test.stat)); got != test.want || ok != test.ok {
			t.Errorf("%q: %v, %v, want %v, %v", test.stat, got, ok, test.want, test.ok)
		}
	}
}

func FuzzProcessStart(f *testing.F) {
	f.Add([]byte("7 (a) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 1234 9 9"))
	f.Fuzz(func(t *testing.T, stat []byte) { processStart(stat) })
}
