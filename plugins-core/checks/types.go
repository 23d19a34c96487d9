package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/scale"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Names of the lists of process types, which are properties.
const (
	disabled = "disabled"
	skipped  = "skipped"
)

// allTypes stands in a list for every process type.
const allTypes = "_all_"

// types is a list of process types.
type types struct {
	all   bool
	names []string
}

// newTypes makes a list of words; none means all.
func newTypes(words []string) (types, error) {
	if len(words) == 0 || slices.Contains(words, allTypes) {
		return types{all: true}, nil
	}
	for _, w := range words {
		if !scale.ValidType(w) {
			return types{}, fmt.Errorf("cannot use %q as a process type", w)
		}
	}
	return types{names: words}, nil
}

// readTypes reads the app's list of that name.
func readTypes(s settings.Settings, a app.App, key string) types {
	return parseTypes(property.Get(s, pluginName, a.Name, key))
}

// parseTypes reads the text of a list.
func parseTypes(text string) types {
	names := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == ' ' })
	if slices.Contains(names, allTypes) {
		return types{all: true}
	}
	return types{names: names}
}

func (t types) String() string {
	if t.all {
		return allTypes
	}
	return strings.Join(t.names, ",")
}

// has tells whether a process type is on the list.
func (t types) has(kind string) bool { return t.all || slices.Contains(t.names, kind) }

// with is the list with more types on it.
func (t types) with(more types) types {
	if t.all || more.all {
		return types{all: true}
	}
	names := append(slices.Clone(t.names), more.names...)
	slices.Sort(names)
	return types{names: slices.Compact(names)}
}

// without is the list with fewer types on it. Where all were, those are left that the app is known to have.
func (t types) without(fewer types, known []string) types {
	if fewer.all {
		return types{}
	}
	names := t.names
	if t.all {
		names = known
	}
	return types{names: slices.DeleteFunc(slices.Clone(names), fewer.has)}
}

// knownTypes are the process types that the app has.
func knownTypes(a app.App) ([]string, error) {
	counts, err := scale.Read(a)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(counts))
	for _, p := range counts {
		names = append(names, p.Type)
	}
	return names, nil
}
