package sshcmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/kballard/go-shellquote"
)

// defaultsFiles are read in this order; what the last one says counts.
var defaultsFiles = []string{"/etc/default/sshcommand", "/etc/defaults/sshcommand"}

// defaultOptions are the options of a key: nothing but the forced command, with a terminal for commands that want one.
const defaultOptions = "no-agent-forwarding,no-user-rc,no-X11-forwarding,no-port-forwarding,restrict,pty"

// settings come from the environment and from the defaults files, which win: they are the rules of the host.
type settings struct {
	allowedKeys          string // SSHCOMMAND_ALLOWED_KEYS: options of a new key beside its command
	checkDuplicateName   bool   // SSHCOMMAND_CHECK_DUPLICATE_NAME
	checkDuplicateKey    bool   // SSHCOMMAND_CHECK_DUPLICATE_FINGERPRINT
	ignoreListWarnings   bool   // SSHCOMMAND_IGNORE_LIST_WARNINGS: an empty list is no error
	osRelease            string // SSHCOMMAND_OSRELEASE: which system this is
	trace, verboseOutput bool   // SSHCOMMAND_TRACE, SSHCOMMAND_VERBOSE_OUTPUT
	homeDir              string // HOME_DIR: where create puts home directories; "" leaves it to the system
}

func loadSettings(getenv func(string) string, files []string, warn func(string, ...any)) settings {
	set := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			warn("cannot read %s: %v", file, err)
			continue
		}
		values, bad := parseDefaults(data)
		for _, line := range bad {
			warn("%s:%d: not a plain assignment, ignored", file, line)
		}
		for key, value := range values {
			set[key] = value
		}
	}
	get := func(key, otherwise string) string {
		value, ok := set[key]
		if !ok {
			value = getenv(key)
		}
		if value == "" {
			return otherwise
		}
		return value
	}
	return settings{
		allowedKeys:        get("SSHCOMMAND_ALLOWED_KEYS", defaultOptions),
		checkDuplicateName: get("SSHCOMMAND_CHECK_DUPLICATE_NAME", "true") != "false",
		checkDuplicateKey:  get("SSHCOMMAND_CHECK_DUPLICATE_FINGERPRINT", "true") != "false",
		ignoreListWarnings: isTrue(get("SSHCOMMAND_IGNORE_LIST_WARNINGS", "")),
		osRelease:          get("SSHCOMMAND_OSRELEASE", "/etc/os-release"),
		trace:              get("SSHCOMMAND_TRACE", "") != "",
		verboseOutput:      get("SSHCOMMAND_VERBOSE_OUTPUT", "") != "",
		homeDir:            get("HOME_DIR", ""),
	}
}

func isTrue(s string) bool { return s != "" && s != "false" && s != "0" }

// parseDefaults reads plain assignments, one a line: KEY=value with the quotes of a shell, maybe after export. Files of
// that kind are shell scripts to other programs; nothing is expanded or run here, and the numbers of the lines that
// would need it are returned in bad.
func parseDefaults(data []byte) (values map[string]string, bad []int) {
	values = map[string]string{}
	number := 0
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		number++
		key, value, err := parseAssignment(string(line))
		switch {
		case err != nil:
			bad = append(bad, number)
		case key != "":
			values[key] = value
		}
	}
	return values, bad
}

// parseAssignment returns an empty key for a blank line or a comment.
func parseAssignment(line string) (key, value string, err error) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", "", nil
	}
	if strings.ContainsAny(line, "$`;&|<>()") && !strings.Contains(line, "'") {
		return "", "", fmt.Errorf("needs a shell")
	}
	words, err := shellquote.Split(line)
	if err != nil {
		return "", "", err
	}
	if len(words) > 0 && words[0] == "export" {
		words = words[1:]
	}
	for i, word := range words {
		if i > 0 && strings.HasPrefix(word, "#") {
			words = words[:i]
			break
		}
	}
	if len(words) != 1 {
		return "", "", fmt.Errorf("%d words", len(words))
	}
	key, value, ok := strings.Cut(words[0], "=")
	if !ok || !isIdentifier(key) {
		return "", "", fmt.Errorf("no assignment")
	}
	return key, value, nil
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// osID is the ID of the os-release file, "" if it does not say.
func (s settings) osID() string {
	data, err := os.ReadFile(s.osRelease)
	if err != nil {
		return ""
	}
	values, _ := parseDefaults(data)
	return values["ID"]
}
