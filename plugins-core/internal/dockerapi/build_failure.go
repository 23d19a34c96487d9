package dockerapi

import (
	"strconv"
	"strings"
)

// killed is the status of a command that was ended by KILL, as the kernel does where memory is short.
const killed = 128 + 9

// cpuPeriod is the engine's own period in microseconds, of which a quota is a part.
const cpuPeriod = 100_000

// BuildFailure is the failure of a command of a Dockerfile.
type BuildFailure struct {
	Status      int
	OutOfMemory bool // it was killed, which most often means that memory was short
	err         error
}

func (f *BuildFailure) Error() string { return f.err.Error() }
func (f *BuildFailure) Unwrap() error { return f.err }

// trailingNumber is the number at the end of text behind the words; 0 where there is none.
func trailingNumber(text, words string) int {
	i := strings.LastIndex(text, words)
	if i < 0 {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(text[i+len(words):]))
	if err != nil {
		return 0
	}
	return n
}
