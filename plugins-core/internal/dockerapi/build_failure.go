package dockerapi

import (
	"fmt"
	"slices"
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

// boundOptions are bounds of memory and processors as options of docker's own command. They come behind those of
// plugins, given, and so hold whatever these say.
func boundOptions(memory int64, cpus float64, given []string) (options []string) {
	if memory > 0 {
		options = append(options, fmt.Sprintf("--memory=%d", memory), fmt.Sprintf("--memory-swap=%d", memory))
	}
	if cpus > 0 && slices.ContainsFunc(given, func(word string) bool { return word == "--cpus" || strings.HasPrefix(word, "--cpus=") }) {
		return append(options, fmt.Sprintf("--cpus=%g", cpus)) // which goes with no quota
	}
	if cpus > 0 {
		options = append(options, fmt.Sprintf("--cpu-period=%d", cpuPeriod), fmt.Sprintf("--cpu-quota=%d", int64(cpus*cpuPeriod)))
	}
	return options
}
