package nginxvhosts

import (
	"fmt"
	"strings"
)

// expandShell is the text that a template of the years before makes, in which $NAME and ${NAME} are variables and
// \$name is one of nginx' own. A shell used to read it; nothing here runs commands.
func expandShell(text string, vars variables) (string, error) {
	var out strings.Builder
	for n := 1; text != ""; n++ {
		line, rest, more := strings.Cut(text, "\n")
		expanded, err := expandLine(line, vars)
		if err != nil {
			return "", fmt.Errorf("line %d: %w", n, err)
		}
		out.WriteString(expanded)
		if more {
			out.WriteByte('\n')
		}
		if text = rest; out.Len() > maxText {
			return "", fmt.Errorf("it makes more than %d KiB", maxText>>10)
		}
	}
	return out.String(), nil
}

func expandLine(line string, vars variables) (string, error) {
	var out strings.Builder
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && strings.IndexByte("$`\"\\", line[i+1]) >= 0:
			out.WriteByte(line[i+1])
			i += 2
		case c == '`', c == '$' && strings.HasPrefix(line[i+1:], "("):
			return "", fmt.Errorf("it has a command, %q: none is run", line[i:])
		case c == '$':
			name, length := variableName(line[i+1:])
			if name == "" && length > 0 {
				return "", fmt.Errorf("cannot read %q: give ${NAME}", line[i:])
			}
			if name == "" { // as in a pattern: ~ \.php$
				out.WriteByte(c)
				i++
				continue
			}
			value, ok := vars.lookup(name)
			if !ok {
				return "", fmt.Errorf(`there is no variable $%s; write \$%s where it is nginx' own`, name, name)
			}
			if err := vars.check(name); err != nil {
				return "", err
			}
			out.WriteString(value)
			i += 1 + length
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String(), nil
}

// variableName reads NAME or {NAME}, and how many bytes that is; braces with something else in them have no name.
func variableName(s string) (name string, length int) {
	braces := strings.HasPrefix(s, "{")
	start := 0
	if braces {
		start = 1
	}
	end := start
	for end < len(s) && (s[end] == '_' || 'a' <= s[end] && s[end] <= 'z' || 'A' <= s[end] && s[end] <= 'Z' || end > start && '0' <= s[end] && s[end] <= '9') {
		end++
	}
	switch {
	case !braces:
		return s[start:end], end
	case end < len(s) && s[end] == '}' && end > start:
		return s[start:end], end + 1
	}
	return "", 1
}
