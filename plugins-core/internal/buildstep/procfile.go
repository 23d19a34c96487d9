package buildstep

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/scale"
)

// readProcfile returns the commands of the app's Procfile by process type; nil when it has none.
func readProcfile() (map[string]string, error) {
	st, err := os.Lstat(appDir + "/Procfile")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("cannot read the Procfile: it is not a regular file")
	}
	data, err := os.ReadFile(appDir + "/Procfile")
	if err != nil {
		return nil, err
	}
	return ParseProcfile(string(data))
}

// ParseProcfile reads lines `type: command`; "#" begins a comment line, and ends of line may be those of Windows.
func ParseProcfile(text string) (map[string]string, error) {
	types := map[string]string{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		name, command, ok := strings.Cut(line, ":")
		name, command = strings.TrimSpace(name), strings.TrimSpace(command)
		if !ok || !scale.ValidType(name) || command == "" || strings.IndexByte(command, 0) >= 0 {
			return nil, fmt.Errorf("cannot read the Procfile: line %d is not of the form TYPE: COMMAND", n)
		}
		types[name] = command
	}
	return types, nil
}

// command returns the command line of a process type: the Procfile's, or, without a Procfile, the buildpack's default.
func command(kind string) (string, error) {
	types, err := readProcfile()
	if err != nil {
		return "", err
	}
	if types == nil {
		var info Release
		data, err := os.ReadFile(releaseFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if info, err = ParseRelease(data); err != nil {
			return "", fmt.Errorf("cannot read %s: %w", releaseFile, err)
		}
		types = info.DefaultProcessTypes
	}
	if cmd, ok := types[kind]; ok {
		return cmd, nil
	}
	others := "and no other"
	if len(types) > 0 {
		others = "only: " + strings.Join(slices.Sorted(maps.Keys(types)), ", ")
	}
	return "", fmt.Errorf("cannot start %q: the app has no such process type, %s", kind, others)
}
