package authkeys

import (
	"fmt"
	"strings"
)

// Entry is what one of our lines says.
type Entry struct {
	Name        string // who: NAME in the environment of the command
	Fingerprint string // FINGERPRINT in the environment of the command, as the line has it: SHA256:... or 16 hex pairs
	Options     string // options beside command="...", separated by commas
	Key         string // type, base64 and comment
}

// ParseLine takes apart a line of ours, of any age:
//
//	command="FINGERPRINT=SHA256:... NAME=\"ann\" && export FINGERPRINT NAME && set -f && test -s ... && exec `cat ...` ...",restrict,pty ssh-ed25519 AAAA... comment
//	command="FINGERPRINT=SHA256:... NAME=\"ann\" `cat ...` $SSH_ORIGINAL_COMMAND",no-user-rc,... ssh-rsa AAAA... comment
//	command="FINGERPRINT=2a:f7:... NAME=ann `cat ...` $SSH_ORIGINAL_COMMAND",no-user-rc,... ssh-rsa AAAA... comment
//
// ok is false for any other line.
func ParseLine(line string) (e Entry, ok bool) {
	const start = `command="FINGERPRINT=`
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, start) {
		return Entry{}, false
	}
	options, key := splitOptions(line)
	value, rest, ok := unquote(options[len(`command=`):])
	if !ok || key == "" {
		return Entry{}, false
	}
	value = strings.TrimPrefix(value, "FINGERPRINT=")
	e.Fingerprint, value, ok = strings.Cut(value, " NAME=")
	if !ok || strings.ContainsAny(e.Fingerprint, " \t`$") {
		return Entry{}, false
	}
	if e.Name, ok = parseName(value); !ok {
		return Entry{}, false
	}
	e.Options = strings.TrimPrefix(rest, ",")
	e.Key = key
	return e, true
}

// parseName reads the name at the start of s: between double quotes, or bare as far as the command substitution, since
// the tool of 2014 wrote a name with a space just like that.
func parseName(s string) (string, bool) {
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		name, _, ok := strings.Cut(quoted, `" `)
		return name, ok
	}
	name, _, ok := strings.Cut(s, " `")
	if !ok {
		name, _, ok = strings.Cut(s, " ")
	}
	return name, ok
}

// splitOptions divides a line the way sshd does: the options end at the first blank outside of double quotes, and
// inside of them \" is no end.
func splitOptions(line string) (options, rest string) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && line[i+1] == '"':
			i++
		case c == '"':
			quoted = !quoted
		case (c == ' ' || c == '\t') && !quoted:
			return line[:i], strings.TrimLeft(line[i:], " \t")
		}
	}
	return line, ""
}

// unquote reads a double-quoted option value at the start of s. sshd knows one escape in it, \".
func unquote(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '"':
			i++
			b.WriteByte('"')
		case s[i] == '"':
			return b.String(), s[i+1:], true
		default:
			b.WriteByte(s[i])
		}
	}
	return "", s, false
}

// Format returns the line for e, without a line end. home is the home directory of the user: the command is whatever
// .sshcommand there says at the time of a login.
//
// The value of command= passes through two readers, the option parser of sshd and the login shell of the user. Nothing
// of it needs an escape in either: [CheckName] and [CheckHome] let nothing through that would.
func Format(e Entry, home string) (string, error) {
	if err := CheckName(e.Name); err != nil {
		return "", err
	}
	if err := CheckHome(home); err != nil {
		return "", err
	}
	if err := CheckOptions(e.Options); err != nil {
		return "", err
	}
	options := e.Options
	if options != "" {
		options = "," + options
	}
	// export and then exec, not VAR=x `cat ...`: set -f has to come between the two, or the words of the client
	// would be expanded to file names; exec leaves no shell behind as the parent of the command. Without a command the
	// first word of the client would be run in its place: test -s shuts that door.
	return fmt.Sprintf(`command="FINGERPRINT=%s NAME=\"%s\" && export FINGERPRINT NAME && set -f && `+
		"test -s %[3]s/.sshcommand && exec `cat %[3]s/.sshcommand` $SSH_ORIGINAL_COMMAND"+`"%[4]s %[5]s`, e.Fingerprint, e.Name, home, options, e.Key), nil
}
