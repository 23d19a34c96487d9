package deploy

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
)

// StartCommand is the variable of an app of a Dockerfile that takes the place of its image's CMD, for web processes
// (toolchain-2014, section 14).
const StartCommand = "DOKKU_DOCKERFILE_START_CMD"

// Command returns the words that take the place of the CMD of an image of a Dockerfile, behind its ENTRYPOINT, for a
// process of that type: the app's variable, or what the Procfile of its source says. nil: the image's own. port is what
// the words $PORT become; 0 leaves them to the shell.
func Command(image *dockerapi.Image, vars envfile.Vars, kind string, port int) ([]string, error) {
	if text := strings.TrimSpace(vars[StartCommand]); text != "" && kind == "web" {
		words, err := commandWords(text, image.Shell, port)
		if err != nil {
			return nil, fmt.Errorf("cannot use %s: %w", StartCommand, err)
		}
		return words, nil
	}
	text, err := base64.StdEncoding.DecodeString(image.Labels[dockerapi.LabelProcfile])
	if err != nil {
		return nil, fmt.Errorf("cannot read label %s: it is not base64", dockerapi.LabelProcfile)
	}
	types, err := buildstep.ParseProcfile(string(text))
	if err != nil {
		return nil, err
	}
	line, ok := types[kind]
	switch {
	case ok:
		words, err := commandWords(line, image.Shell, port)
		if err != nil {
			return nil, fmt.Errorf("cannot use the Procfile: %s: %w", kind, err)
		}
		return words, nil
	case kind == "web":
		return nil, nil
	case len(types) == 0:
		return nil, fmt.Errorf("only sources with a Procfile have processes other than web")
	}
	return nil, fmt.Errorf("its Procfile has only: %s", strings.Join(slices.Sorted(maps.Keys(types)), ", "))
}

// shellSigns are what a shell does more with than to take a line apart, unless they are quoted.
const shellSigns = "$`|&;<>()*?[]~{}#!\n"

// commandWords are the words of a command line: as they stand where no shell is needed, so that an image need have none
// and the program gets its signals; else the image's shell with the line, as docker does with a CMD that is a line.
func commandWords(line string, shell []string, port int) ([]string, error) {
	if port > 0 {
		line = withPort(line, strconv.Itoa(port))
	}
	if !needsShell(line) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "exec "); ok { // no shell, so that none is to be replaced
			line = rest
		}
		return shellquote.Split(line)
	}
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return append(slices.Clone(shell), line), nil
}

// withPort replaces $PORT and ${PORT} outside of single quotes.
func withPort(line, port string) string {
	var out strings.Builder
	quoted := false
	for i := 0; i < len(line); i++ {
		rest := line[i:]
		switch {
		case line[i] == '\\' && !quoted && i+1 < len(line):
			out.WriteString(line[i : i+2])
			i++
		case strings.HasPrefix(rest, "${PORT}") && !quoted:
			out.WriteString(port)
			i += len("${PORT}") - 1
		case strings.HasPrefix(rest, "$PORT") && !quoted && !nameGoesOn(rest[len("$PORT"):]):
			out.WriteString(port)
			i += len("$PORT") - 1
		default:
			if line[i] == '\'' {
				quoted = !quoted
			}
			out.WriteByte(line[i])
		}
	}
	return out.String()
}

func nameGoesOn(rest string) bool {
	return rest != "" && (rest[0] == '_' || rest[0] >= '0' && rest[0] <= '9' || rest[0] >= 'a' && rest[0] <= 'z' || rest[0] >= 'A' && rest[0] <= 'Z')
}

// needsShell tells whether a line has signs of a shell outside of quotes, or begins with an assignment. In double quotes
// dollars and backquotes still count.
func needsShell(line string) bool {
	var quote byte
	for i := 0; i < len(line); i++ {
		ch := line[i]
		switch {
		case ch == '\\' && quote != '\'':
			i++
		case quote == '\'':
			if ch == '\'' {
				quote = 0
			}
		case quote == '"':
			if ch == '"' {
				quote = 0
			} else if ch == '$' || ch == '`' {
				return true
			}
		case ch == '\'' || ch == '"':
			quote = ch
		case strings.IndexByte(shellSigns, ch) >= 0:
			return true
		}
	}
	first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch first {
	case "cd", "export", "source", ".", "set", "umask", "ulimit", "trap", "eval": // which only a shell has
		return true
	}
	name, _, assigns := strings.Cut(first, "=")
	return assigns && name != "" && !strings.ContainsAny(name, "/-.'\"")
}
