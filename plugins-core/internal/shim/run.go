package shim

import (
	"slices"
	"strconv"
	"strings"
)

// option is one option of docker run.
type option struct {
	name  string // with its hyphens
	value string
	bool  bool // value is true or false
}

// runCall is a call of docker run.
type runCall struct {
	options []option
	rest    []string // the image, and the command in it
	old     bool     // it has options in the form of 2014: -name, or the path of a volume
}

// boolOptions are the options of docker run that need no value.
const boolOptions = " -d --detach -i --interactive -t --tty -P --publish-all -q --quiet --rm --privileged --init --read-only " +
	"--no-healthcheck --oom-kill-disable --sig-proxy --disable-content-trust --use-api-socket --help "

// oldOptions were written with one hyphen in 2014. Today the first letter of most of them is no option, or one that takes
// a number, so that they fail.
const oldOptions = " name rm link volumes-from entrypoint privileged dns cidfile "

func isBool(name string) bool { return strings.Contains(boolOptions, " "+name+" ") }

// parseRun reads the words behind docker run; ok is false when they make no sense.
func parseRun(words []string) (r *runCall, ok bool) {
	r = &runCall{}
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" {
			r.rest = words[i+1:]
			return r, true
		}
		if len(word) < 2 || word[0] != '-' {
			r.rest = words[i:]
			return r, true
		}
		name, value, given := strings.Cut(word, "=")
		if strings.Contains(oldOptions, " "+name[1:]+" ") {
			r.old = true
			name = "-" + name
		}
		if !strings.HasPrefix(name, "--") {
			name, value, given = r.cluster(word)
			if name == "" {
				continue
			}
		}
		switch {
		case isBool(name) && !given:
			value = "true"
		case isBool(name):
			b, err := strconv.ParseBool(value)
			if err != nil {
				return nil, false
			}
			value = strconv.FormatBool(b)
		case !given && i+1 == len(words):
			return nil, false
		case !given:
			i++
			value = words[i]
		}
		if name == "-v" || name == "--volume" {
			named, old := volume(value)
			value, r.old = named, r.old || old
		}
		r.options = append(r.options, option{name, value, isBool(name)})
	}
	return r, true
}

// cluster takes short options apart that were written as one word; the last one is returned, "" when nothing is open.
func (r *runCall) cluster(word string) (name, value string, given bool) {
	for j := 1; j < len(word); j++ {
		name = "-" + word[j:j+1]
		switch rest := word[j+1:]; {
		case strings.HasPrefix(rest, "="):
			return name, rest[1:], true
		case !isBool(name):
			return name, rest, rest != ""
		case rest == "":
			return name, "", false
		}
		r.options = append(r.options, option{name, "true", true})
	}
	return "", "", false
}

// get returns the values of an option.
func (r *runCall) get(names ...string) (values []string) {
	for _, o := range r.options {
		if slices.Contains(names, o.name) {
			values = append(values, o.value)
		}
	}
	return values
}

// on tells whether a switch is on.
func (r *runCall) on(names ...string) bool {
	values := r.get(names...)
	return len(values) > 0 && values[len(values)-1] == "true"
}

func (r *runCall) drop(names ...string) bool {
	n := len(r.options)
	r.options = slices.DeleteFunc(r.options, func(o option) bool { return slices.Contains(names, o.name) })
	return len(r.options) < n
}

// feeds tells whether standard input is all that is attached.
func (r *runCall) feeds() bool {
	streams := r.get("-a", "--attach")
	if len(streams) == 0 || !r.on("-i", "--interactive") || r.on("-d", "--detach") || r.on("--help") {
		return false
	}
	return !slices.ContainsFunc(streams, func(s string) bool { return !strings.EqualFold(s, "stdin") })
}

// wantsTerminal tells whether docker would insist on a terminal.
func (r *runCall) wantsTerminal() bool {
	streams := r.get("-a", "--attach")
	return r.on("-t", "--tty") && !r.on("-d", "--detach") &&
		(len(streams) == 0 && r.on("-i", "--interactive") || slices.ContainsFunc(streams, func(s string) bool { return strings.EqualFold(s, "stdin") }))
}

// words appends the call's words, in today's form.
func (r *runCall) words(to []string) []string {
	for _, o := range r.options {
		if o.bool || strings.HasPrefix(o.name, "--") {
			to = append(to, o.name+"="+o.value)
		} else {
			to = append(to, o.name, o.value)
		}
	}
	return append(to, r.rest...)
}
