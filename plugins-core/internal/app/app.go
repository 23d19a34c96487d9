// Package app owns what an app is: its name, its directory under DOKKU_ROOT, the state files in it and its lock.
//
// The directory is at once the app's bare git repository and the place of its state files (toolchain-2014, section
// 6), because plugins look for both there.
package app

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// Port is the port that an app is told to listen on when its image does not say another.
const Port = 5000

// StoppedFile is the state file that marks an app which somebody stopped: a boot must not start it.
const StoppedFile = ".stopped"

// ReserveFile takes up space while the app is deployed, so that a deploy can go back when the disk has become full.
const ReserveFile = ".reserve"

// DestroyingFile is the state file that marks an app whose destruction has begun: it is carried through, whatever
// happens meanwhile.
const DestroyingFile = ".destroying"

// maxName leaves room for a domain behind the name and for container names before and after it.
const maxName = 100

// NameRule says in words which names CheckName takes.
const NameRule = "lower-case letters, digits and hyphens, in parts joined by dots; each part begins and ends with a letter or digit and has at most 63 characters"

// App is an app that exists or is about to.
type App struct {
	Name string
	Root string // DOKKU_ROOT
}

// CheckName refuses what is no app name: the name is part of paths, image names, host names and nginx files.
func CheckName(name string) error {
	bad := func(why string) error { return fmt.Errorf("cannot use %q as an app name: %s", name, why) }
	if name == "" {
		return bad("it is empty")
	}
	if len(name) > maxName {
		return bad(fmt.Sprintf("it has more than %d characters", maxName))
	}
	switch name {
	case "tls", "plugins":
		return bad("it is reserved")
	case "stack", "stack-base":
		return bad("it is reserved: the images dokku/" + name + " are the stacks")
	}
	for part := range strings.SplitSeq(name, ".") {
		if !validLabel(part) {
			return bad("use " + NameRule)
		}
	}
	if net.ParseIP(name) != nil {
		return bad("it is an IP address")
	}
	return nil
}

func validLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}

// Find returns the app of that name, which must exist.
func Find(root, name string) (App, error) {
	a := App{Name: name, Root: root}
	if CheckName(name) != nil || !a.Exists() {
		return App{}, &NotFoundError{Name: name}
	}
	return a, nil
}

// NotFoundError says that there is no app of that name, in the words scripts know.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("App %s does not exist", e.Name) }

// List returns the names of all apps: every directory under root that can be an app's, or a link to one.
func List(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("cannot list the apps: %w", err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if a := (App{Name: e.Name(), Root: root}); CheckName(a.Name) == nil && a.Exists() {
			names = append(names, a.Name)
		}
	}
	return names, nil
}

// Dir is the app's directory.
func (a App) Dir() string { return filepath.Join(a.Root, a.Name) }

// Path is the path of the state file of that name.
func (a App) Path(file string) string { return filepath.Join(a.Root, a.Name, file) }

// Exists tells whether the app's directory is there.
func (a App) Exists() bool {
	st, err := os.Stat(a.Dir())
	return err == nil && st.IsDir()
}

// Repository is the name of the app's images.
func (a App) Repository() string { return "dokku/" + a.Name }

// Image is the app's image with that tag; "" is latest.
func (a App) Image(tag string) string {
	if tag == "" {
		tag = "latest"
	}
	return a.Repository() + ":" + tag
}

// State reads the state file of that name without the end of its line; "" when there is none.
func (a App) State(file string) string {
	data, err := os.ReadFile(a.Path(file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// StateFiles returns the names of the state files that match pattern, sorted. The directory's own name is no pattern,
// whatever characters it has.
func (a App) StateFiles(pattern string) []string {
	names, _ := fs.Glob(os.DirFS(a.Dir()), pattern) // our patterns are good, so there is no error
	return names
}

// SetState writes one line to the state file of that name; an empty value removes it.
func (a App) SetState(file, value string) error {
	if value == "" {
		return record.Remove(a.Path(file))
	}
	return record.WriteLine(a.Path(file), value)
}

// KeepState is SetState that leaves a file alone which says the same already.
func (a App) KeepState(file, value string) error {
	if a.State(file) == value {
		return nil
	}
	return a.SetState(file, value)
}

// Env returns the app's own variables.
func (a App) Env() (envfile.Vars, error) { return envfile.Read(a.Path("ENV")) }

// MergedEnv returns the global variables overlaid with the app's own: what its containers get.
func (a App) MergedEnv() (envfile.Vars, error) {
	global, err := envfile.Read(filepath.Join(a.Root, "ENV"))
	if err != nil {
		return nil, err
	}
	own, err := a.Env()
	if err != nil {
		return nil, err
	}
	return envfile.Merge(global, own), nil
}

// Snapshot is the content of some state files, to be put back when a deploy fails.
type Snapshot struct {
	app   App
	files map[string][]byte // nil: there was none
}

// Snapshot remembers the state files that match one of the patterns.
func (a App) Snapshot(patterns ...string) (*Snapshot, error) {
	s := &Snapshot{app: a, files: map[string][]byte{}}
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, "*") {
			s.files[pattern] = nil
		}
		for _, file := range a.StateFiles(pattern) {
			data, err := os.ReadFile(a.Path(file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("cannot keep the state of %s: %w", a.Name, err)
			}
			s.files[file] = data
		}
	}
	return s, nil
}

// Restore puts the remembered files back and removes those of made that were not there.
func (s *Snapshot) Restore(made ...string) error {
	var errs []error
	for _, file := range made {
		if _, ok := s.files[file]; !ok {
			s.files[file] = nil
		}
	}
	for file, data := range s.files {
		if data == nil {
			errs = append(errs, record.Remove(s.app.Path(file)))
		} else {
			errs = append(errs, record.Write(s.app.Path(file), data, 0o644))
		}
	}
	return errors.Join(errs...)
}
