// Package scale owns how many processes of each type an app runs: the file DOKKU_SCALE, a line TYPE=COUNT each.
package scale

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// Max is the highest count of one type.
const Max = 100

const file = "DOKKU_SCALE"

// Process is a type of process and how many of it run.
type Process struct {
	Type  string
	Count int
}

// Read returns the app's scale; where nothing is set, one web process.
func Read(a app.App) ([]Process, error) {
	data, err := os.ReadFile(a.Path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return []Process{{Type: "web", Count: 1}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the scale of %q: %w", a.Name, err)
	}
	counts, err := Parse(string(data))
	if err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", a.Path(file), err)
	}
	return counts, nil
}

// Parse reads the text of a DOKKU_SCALE file.
func Parse(text string) ([]Process, error) {
	var out []Process
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, count, ok := strings.Cut(line, "=")
		n, err := strconv.Atoi(strings.TrimSpace(count))
		if !ok || err != nil || n < 0 || n > Max || !ValidType(name) {
			return nil, fmt.Errorf("line %q is not TYPE=COUNT", line)
		}
		if slices.ContainsFunc(out, func(p Process) bool { return p.Type == name }) {
			return nil, fmt.Errorf("line %q: %q stands there twice", line, name)
		}
		out = append(out, Process{Type: name, Count: n})
	}
	return out, nil
}

// Format writes the text of a DOKKU_SCALE file.
func Format(counts []Process) string {
	var b strings.Builder
	for _, p := range counts {
		fmt.Fprintf(&b, "%s=%d\n", p.Type, p.Count)
	}
	return b.String()
}

// Write stores the app's scale.
func Write(a app.App, counts []Process) error {
	return record.Write(a.Path(file), []byte(Format(counts)), 0o644)
}

// ValidType tells whether s can name a process type: letters, digits, underscore and hyphen.
func ValidType(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 63
}
