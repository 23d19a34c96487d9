package dockerapi

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/go-units"
)

// boundOptions are bounds of memory and processors as options of docker's own command. They come behind those of
// plugins, given, and so hold whatever these say, but for what these ask less of.
func boundOptions(memory int64, cpus float64, given []string) (options []string) {
	if memory > 0 {
		most := memory
		if asked := askedBytes(given, "--memory", "-m"); asked > 0 {
			most = min(most, asked)
		}
		swap := most // memory and swap together
		if asked := askedBytes(given, "--memory-swap", ""); asked > 0 && asked <= memory {
			swap = asked
		}
		options = append(options, fmt.Sprintf("--memory=%d", most), fmt.Sprintf("--memory-swap=%d", swap))
	}
	if cpus <= 0 {
		return options
	}
	if text, ok := lastValue(given, "--cpus", ""); ok {
		if asked, err := strconv.ParseFloat(text, 64); err == nil && asked > 0 {
			cpus = min(cpus, asked)
		}
		return append(options, fmt.Sprintf("--cpus=%g", cpus)) // which goes with no quota
	}
	period := askedNumber(given, "--cpu-period")
	if period <= 0 {
		period = cpuPeriod
	}
	quota := int64(cpus * float64(period))
	if asked := askedNumber(given, "--cpu-quota"); asked > 0 {
		quota = min(quota, asked)
	}
	return append(options, fmt.Sprintf("--cpu-period=%d", period), fmt.Sprintf("--cpu-quota=%d", quota))
}

func askedBytes(given []string, name, short string) int64 {
	text, _ := lastValue(given, name, short)
	n, err := units.RAMInBytes(text)
	if err != nil {
		return 0 // docker will tell
	}
	return n
}

func askedNumber(given []string, name string) int64 {
	text, _ := lastValue(given, name, "")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0 // the same
	}
	return n
}

// lastValue is the value of an option of docker's own command, the last one where there are several. A value of another
// option that looks like one is taken for one too: then less is given than was asked for, and never more.
func lastValue(given []string, name, short string) (value string, ok bool) {
	for i, word := range given {
		switch v, isLong := strings.CutPrefix(word, name+"="); {
		case isLong:
			value, ok = v, true
		case (word == name || short != "" && word == short) && i+1 < len(given):
			value, ok = given[i+1], true
		case short != "" && len(word) > len(short) && strings.HasPrefix(word, short):
			value, ok = strings.TrimPrefix(word[len(short):], "="), true
		}
	}
	return value, ok
}
