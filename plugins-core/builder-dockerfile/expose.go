package builderdockerfile

import (
	"strconv"
	"strings"
)

// stage is what is known of a stage of a Dockerfile.
type stage struct {
	name, base string
	ports      []string // words of EXPOSE, in their order
}

// firstPort is the first tcp port that the stage which becomes the image exposes, or, if it exposes none, the stage that
// it starts from; target names the stage, "" is the last one. It is 0 where the Dockerfile does not tell: the image knows
// its ports, but not in which order they were given.
func firstPort(dockerfile, target string) int {
	stages := stagesOf(dockerfile)
	for i := len(stages) - 1; i >= 0; i-- {
		s := stages[i]
		if target != "" && !strings.EqualFold(s.name, target) && strconv.Itoa(i) != target {
			continue
		}
		if len(s.ports) > 0 {
			return firstOf(s.ports)
		}
		// A stage starts from one before it, so this ends.
		stages, target = stages[:i], s.base
		if target == "" {
			return 0
		}
	}
	return 0
}

// firstOf is the first tcp port of words of EXPOSE: 80, 80/tcp, 8000-8005; others, before it, make it unknown.
func firstOf(words []string) int {
	for _, word := range words {
		port, protocol, given := strings.Cut(word, "/")
		if given && strings.EqualFold(protocol, "udp") || strings.EqualFold(protocol, "sctp") {
			continue
		}
		port, _, _ = strings.Cut(port, "-")
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 || given && !strings.EqualFold(protocol, "tcp") {
			return 0 // a variable
		}
		return n
	}
	return 0
}

func stagesOf(dockerfile string) (stages []stage) {
	for _, line := range instructions(dockerfile) {
		words := strings.Fields(line)
		switch {
		case len(words) < 2:
		case strings.EqualFold(words[0], "FROM"):
			words = words[1:]
			for len(words) > 1 && strings.HasPrefix(words[0], "--") {
				words = words[1:]
			}
			s := stage{base: words[0]}
			if len(words) == 3 && strings.EqualFold(words[1], "AS") {
				s.name = words[2]
			}
			stages = append(stages, s)
		case strings.EqualFold(words[0], "EXPOSE") && len(stages) > 0:
			last := &stages[len(stages)-1]
			last.ports = append(last.ports, words[1:]...)
		}
	}
	return stages
}

// instructions are the lines of a Dockerfile without comments, those that go on in the next made one.
func instructions(dockerfile string) (out []string) {
	var whole strings.Builder
	for line := range strings.Lines(dockerfile) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		part, goesOn := strings.CutSuffix(line, `\`)
		whole.WriteString(part + " ")
		if !goesOn {
			out = append(out, whole.String())
			whole.Reset()
		}
	}
	return append(out, whole.String())
}
