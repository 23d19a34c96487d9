package sshcmd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/dokku-go/dokku/sshcommand/authkeys"
)

const listHelp = `  Shows the keys that were added with sshcommand, in the order of the file; with NAME only those of that name.
  json, or --format json, gives an array of objects. An empty list is an error, unless
  SSHCOMMAND_IGNORE_LIST_WARNINGS is set.`

// listed is a key in the JSON form of the list.
type listed struct {
	Fingerprint string `json:"fingerprint"`
	Name        string `json:"name"`
	AllowedKeys string `json:"SSHCOMMAND_ALLOWED_KEYS"`
	PublicKey   string `json:"public-key"`
}

func (t *tool) list(c *cli.Context) error {
	user, name, asJSON, err := listArgs(c)
	if err != nil {
		return err
	}
	a, err := t.user(user)
	if err != nil {
		return err
	}
	keys, problem, err := listKeys(a, name)
	if err != nil {
		return err
	}
	if problem != "" && !t.ignoreListWarnings {
		return &textError{text: problem}
	}
	if asJSON {
		return writeJSON(t.stdout, keys, name == "")
	}
	w := bufio.NewWriter(t.stdout)
	for _, k := range keys {
		fmt.Fprintf(w, "%s NAME=\"%s\" SSHCOMMAND_ALLOWED_KEYS=\"%s\"\n", k.Fingerprint, k.Name, k.AllowedKeys)
	}
	return w.Flush()
}

// listKeys returns the keys of a, those called name if it is not empty. If there are none, problem says why.
func listKeys(a account, name string) (keys []listed, problem string, err error) {
	keys = []listed{}
	f, err := readKeys(a)
	if errors.Is(err, fs.ErrNotExist) {
		return keys, "authorized_keys not found for " + a.name, nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the keys of %q: %w", a.name, err)
	}
	if !f.HasKeys() {
		return keys, "authorized_keys is empty for " + a.name, nil
	}
	for _, e := range f.Entries() {
		if name == "" || e.Name == name {
			keys = append(keys, newListed(e))
		}
	}
	switch {
	case len(keys) > 0:
	case name != "":
		problem = fmt.Sprintf("sshcommand: no key of %q has the name %q", a.name, name)
	default:
		problem = fmt.Sprintf("sshcommand: no key of %q was added with sshcommand", a.name)
	}
	return keys, problem, nil
}

// writeJSON writes the keys as an array in a line. The original has blanks in the list of all keys and none in that of a
// name; scripts compare the text.
func writeJSON(w io.Writer, keys []listed, blanks bool) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(keys); err != nil || !blanks {
		_, writeErr := w.Write(b.Bytes())
		return errors.Join(err, writeErr)
	}
	fmt.Fprint(w, "[")
	for i, k := range keys {
		fmt.Fprint(w, [...]string{"{", ",{"}[min(i, 1)])
		for j, pair := range [...][2]string{
			{"fingerprint", k.Fingerprint}, {"name", k.Name}, {"SSHCOMMAND_ALLOWED_KEYS", k.AllowedKeys}, {"public-key", k.PublicKey},
		} {
			b.Reset()
			if err := enc.Encode(pair[1]); err != nil {
				return err
			}
			fmt.Fprintf(w, "%s %q: %s", [...]string{"", ","}[min(j, 1)], pair[0], bytes.TrimSpace(b.Bytes()))
		}
		fmt.Fprint(w, " }")
	}
	_, err := fmt.Fprintln(w, "]")
	return err
}

func newListed(e authkeys.Entry) listed {
	return listed{Fingerprint: e.Fingerprint, Name: e.Name, AllowedKeys: e.Options, PublicKey: e.Key}
}

// listArgs reads USER [NAME] [json]. The format may also come as a flag, in front of the user or anywhere behind. A last
// word json is the format; for a key of that name say json json.
func listArgs(c *cli.Context) (user, name string, asJSON bool, err error) {
	format := c.String("format")
	var words []string
	args := c.Args().Slice()
	for i := 0; i < len(args); i++ {
		value, isFlag := strings.CutPrefix(args[i], "--format=")
		switch {
		case isFlag:
			format = value
		case args[i] == "--format" && i+1 < len(args):
			i++
			format = args[i]
		default:
			words = append(words, args[i])
		}
	}
	if n := len(words); n > 1 && words[n-1] == "json" && format == "" {
		format, words = "json", words[:n-1]
	}
	if len(words) < 1 || len(words) > 2 || words[0] == "" {
		return "", "", false, usageError(c)
	}
	if len(words) == 2 {
		name = words[1]
	}
	switch format {
	case "json":
		asJSON = true
	case "", "text":
	default:
		return "", "", false, fmt.Errorf("cannot list in the format %q: text and json are known", format)
	}
	return words[0], name, asJSON, nil
}
