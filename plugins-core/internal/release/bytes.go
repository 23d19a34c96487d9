package release

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// jsonRelease is a release as JSON. Texts that are no UTF-8 are in fields of their own, in base64.
type jsonRelease struct {
	*plain
	ConfigBytes map[string][]byte `json:"config_base64,omitempty"`
	FilesBytes  map[string][]byte `json:"files_base64,omitempty"`
	BeforeBytes map[string][]byte `json:"before_base64,omitempty"`
}

type plain Release // without the methods

// MarshalJSON writes the release so that UnmarshalJSON reads every byte of its settings.
func (r *Release) MarshalJSON() ([]byte, error) {
	own := plain(*r)
	out := jsonRelease{plain: &own}
	out.Config, out.ConfigBytes = split(r.Config, func(s string) string { return s })
	out.Files, out.FilesBytes = split(r.Files, func(s string) string { return s })
	out.Before, out.BeforeBytes = split(r.Before, func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	})
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it is for the outer encoder to say
	err := e.Encode(out)
	return b.Bytes(), err
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Release) UnmarshalJSON(data []byte) error {
	in := jsonRelease{plain: (*plain)(r)}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	r.Config = join(r.Config, in.ConfigBytes, func(s string) string { return s })
	r.Files = join(r.Files, in.FilesBytes, func(s string) string { return s })
	r.Before = join(r.Before, in.BeforeBytes, func(s string) *string { return &s })
	return nil
}

// split takes the texts that are no UTF-8 out of m.
func split[T any](m map[string]T, text func(T) string) (map[string]T, map[string][]byte) {
	var utf map[string]T
	if m != nil {
		utf = make(map[string]T, len(m))
	}
	others := map[string][]byte{}
	for key, value := range m {
		if s := text(value); utf8.ValidString(s) {
			utf[key] = value
		} else {
			others[key] = []byte(s)
		}
	}
	return utf, others
}

// join puts them back.
func join[T any](m map[string]T, others map[string][]byte, value func(string) T) map[string]T {
	if m == nil && len(others) > 0 {
		m = map[string]T{}
	}
	for key, data := range others {
		m[key] = value(string(data))
	}
	return m
}
