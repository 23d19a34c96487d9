package dockeroptions

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"
)

// harmless are the options that anybody may give who may deploy the app: they take from its containers, or tell them
// something. Those that take no value have false.
func harmless() map[string]bool {
	options := map[string]bool{"--init": false, "--read-only": false, "--no-healthcheck": false, "--no-cache": false}
	for name := range strings.FieldsSeq(`--build-arg --cpu-period --cpu-quota --cpu-shares --cpus --cpuset-cpus --env
		--health-cmd --health-interval --health-retries --health-start-period --health-timeout --hostname --label
		--memory --memory-reservation --memory-swap --memory-swappiness --pids-limit --shm-size --stop-signal
		--stop-timeout --target --user --workdir -c -e -h -l -m -u -w`) {
		options[name] = true
	}
	return options
}

// mild are options that only an admin may give where there are some, and that are worth no warning.
func mild() []string {
	return strings.Fields(`--add-host --dns --dns-option --dns-search --expose --ip --link --log-driver --log-opt --network
		--network-alias --net --publish --restart --ulimit -p`)
}

// Harmless tells whether all that the option says is harmless. What it does not know is not.
func Harmless(option string) bool {
	words, err := shellquote.Split(option)
	if err != nil || len(words) == 0 {
		return false
	}
	known := harmless()
	for i := 0; i < len(words); i++ {
		name, value, given := split(words[i])
		takes, ok := known[name]
		if !ok || !takes && given {
			return false
		}
		if takes && !given {
			if i++; i == len(words) {
				return false
			}
			value = words[i]
		}
		if (name == "--label" || name == "-l") && strings.HasPrefix(value, "com.dokku") {
			return false // by these we know our containers
		}
		if (name == "--user" || name == "-u") && strings.HasPrefix(value, "-") {
			return false
		}
	}
	return true
}

// Bounding returns the name of the first of the words of `docker run` that does more than bound a container, label it or
// say which network it has; "" when there is none. Nothing else may be said of a container that runs as root beside the
// engine's socket: a variable or a working directory is enough to have it run a program of somebody else.
func Bounding(options []string) (refused string) {
	bounding := strings.Fields(`--add-host --cpu-period --cpu-quota --cpu-shares --cpus --cpuset-cpus --cpuset-mems --dns --dns-option
		--dns-search --hostname --label --log-driver --log-opt --memory --memory-reservation --memory-swap
		--memory-swappiness --net --network --network-alias --pids-limit --shm-size --ulimit -c -h -l -m`)
	for i := 0; i < len(options); i++ {
		name, value, given := split(options[i])
		if !slices.Contains(bounding, name) {
			return name
		}
		if !given {
			if i++; i == len(options) {
				return name
			}
			value = options[i]
		}
		if (name == "--label" || name == "-l") && strings.HasPrefix(value, "com.dokku") {
			return name + " com.dokku" // by these we know our containers
		}
	}
	return ""
}

// split takes a word of a command line apart: --name=value, --name, -nvalue, -n=value or -n.
func split(word string) (name, value string, given bool) {
	if strings.HasPrefix(word, "--") {
		return strings.Cut(word, "=")
	}
	if len(word) > 3 && word[0] == '-' && word[2] == '=' {
		return word[:2], word[3:], true
	}
	if len(word) > 2 && word[0] == '-' {
		return word[:2], word[2:], true
	}
	return word, "", false
}

// Warns tells whether an option, or what belongs to it, gives whoever has the container power over the host. Mounts of
// volumes and of directories below storage do not.
func Warns(option, storage string) bool {
	if Harmless(option) {
		return false
	}
	words, err := shellquote.Split(option)
	if err != nil || len(words) == 0 {
		return true
	}
	name, value, given := split(words[0])
	if !given && len(words) > 1 {
		value, words = words[1], words[1:]
	}
	if len(words) > 1 {
		return true
	}
	if name == "-v" || name == "--volume" {
		source, _, _ := strings.Cut(value, ":")
		return source != "" && !inStorage(source, storage)
	}
	for _, m := range mild() {
		if name == m {
			return value == "host" || strings.HasPrefix(value, "container:")
		}
	}
	return true
}

// inStorage tells whether the source of a mount is the name of a volume, or a directory below storage.
func inStorage(source, storage string) bool {
	if !strings.ContainsAny(source, "/~") && source != "." && source != ".." {
		return true
	}
	clean := filepath.Clean(source)
	return clean == source && strings.HasPrefix(clean, storage+"/")
}
