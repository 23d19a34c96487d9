// Package rawenv gets values that are no UTF-8 into containers. The engine takes variables as JSON, which cannot hold
// such bytes, so they travel in base64, and this program, mounted in the container, restores them before it becomes the
// process. A container without such a value has nothing of it.
package rawenv

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
)

// Program is where containers have the program that restores the values: dokku itself, which is static. By this name
// it is called, so no variable of the app can make it something else.
const Program = "/.dokku-env"

// prefix begins a value that travels in base64.
const prefix = "dokku-base64:"

// MaxLen is how long a variable, KEY=VALUE, can be as it travels: the kernel's limit for one string.
const MaxLen = 128<<10 - 1

// Encode makes the variables env, KEY=VALUE each, such as JSON can hold. Where all are, they stay as they are, and ok is
// false; else those that only look encoded are encoded too.
func Encode(env []string) (out []string, ok bool) {
	if !slices.ContainsFunc(env, func(kv string) bool { return !utf8.ValidString(kv) }) {
		return env, false
	}
	out = slices.Clone(env)
	for i, kv := range out {
		key, value, _ := strings.Cut(kv, "=")
		if !utf8.ValidString(value) || strings.HasPrefix(value, prefix) {
			out[i] = key + "=" + prefix + base64.StdEncoding.EncodeToString([]byte(value))
		}
	}
	return out, true
}

// Decode takes back what Encode did. What an option of docker has put in the place of a value stays as it is.
func Decode(env []string) []string {
	out := slices.Clone(env)
	for i, kv := range out {
		key, value, _ := strings.Cut(kv, "=")
		if text, ok := strings.CutPrefix(value, prefix); ok {
			if data, err := base64.StdEncoding.Strict().DecodeString(text); err == nil {
				out[i] = key + "=" + string(data)
			}
		}
	}
	return out
}

// Main becomes the program args with the variables restored. It returns only when that cannot be done, with the status
// that a shell would have then.
func Main(args, env []string, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprintln(stderr, " !     cannot start nothing: give a program")
		return 2
	}
	env = Decode(env)
	path, err := proc.LookPath(env, args[0])
	if err != nil {
		fmt.Fprintf(stderr, " !     cannot start %q: it is not in PATH\n", args[0])
		return 127
	}
	err = unix.Exec(path, args, env)
	fmt.Fprintf(stderr, " !     cannot start %q: %v\n", args[0], err)
	if errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}
