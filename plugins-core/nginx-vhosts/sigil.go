package nginxvhosts

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
)

// Bounds of what a template may make, so that one that goes on and on ends as an error.
const (
	maxText = 1 << 20
	maxSeq  = 10000
	maxTime = 5 * time.Second
)

// expandSigil is the text that a template of today makes: Go's text/template with the functions below. What reads
// files, runs programs or asks other hosts is not there: templates come from whoever may push.
func expandSigil(text string, vars variables) (string, error) {
	var declare strings.Builder // templates may write $APP for .APP; on the first line, so that lines keep their numbers
	for _, name := range vars.names() {
		fmt.Fprintf(&declare, "{{ $%s := .%s }}", name, name)
	}
	text = strings.ReplaceAll(text, "\\}}\n{{", "}}{{")
	tmpl, err := template.New(hosts.SigilTemplate).Option("missingkey=zero").Funcs(functions(vars)).Parse(declare.String() + text)
	if err != nil {
		return "", templateError(err)
	}
	out := &bounded{}
	done := make(chan error, 1)
	go func() { done <- tmpl.Execute(out, vars.own) }()
	select {
	case err = <-done:
	case <-time.After(maxTime):
		return "", errors.New("it does not end") // it goes on until this process ends, which is soon
	}
	if err != nil {
		return "", templateError(err)
	}
	return blankLines().ReplaceAllString(strings.TrimLeft(out.String(), "\n"), "\n\n"), nil
}

func blankLines() *regexp.Regexp { return regexp.MustCompile(`\n([ \t]*\n)+`) }

// templateError is the error without the words that say where in Go it was found.
func templateError(err error) error {
	return errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "template: "), "\n", " "))
}

// bounded is a buffer that takes so much and no more.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxText {
		return 0, fmt.Errorf("it makes more than %d KiB", maxText>>10)
	}
	return b.Buffer.Write(p)
}

func functions(vars variables) template.FuncMap {
	return template.FuncMap{
		"var":        vars.get,
		"split":      func(sep string, in any) []string { return strings.Split(str(in), sep) },
		"splitkv":    splitPairs,
		"join":       func(sep string, in any) string { return strings.Join(list(in), sep) },
		"joinkv":     joinPairs,
		"default":    func(value, in any) any { return firstOf(in, value) },
		"replace":    func(old, with string, in any) string { return strings.ReplaceAll(str(in), old, with) },
		"trim":       func(in any) string { return strings.TrimSpace(str(in)) },
		"lower":      func(in any) string { return strings.ToLower(str(in)) },
		"upper":      func(in any) string { return strings.ToUpper(str(in)) },
		"capitalize": func(in any) string { return capital(str(in)) },
		"substr":     substring,
		"indent":     func(by string, in any) string { return by + strings.ReplaceAll(str(in), "\n", "\n"+by) },
		"match":      func(pattern string, in any) (bool, error) { return path.Match(pattern, str(in)) },
		"seq":        sequence,
		"uniq":       unique,
		"append":     func(item, in any) []string { return append(slices.Clone(list(in)), str(item)) },
		"drop":       drop,
	}
}

// str is what a template would print of a value.
func str(in any) string {
	if in == nil {
		return ""
	}
	return fmt.Sprint(in)
}

// list is a value as a list of words; what is no list is one word.
func list(in any) []string {
	if words, ok := in.([]string); ok {
		return words
	}
	if v := reflect.ValueOf(in); v.IsValid() && v.Kind() == reflect.Slice {
		out := make([]string, v.Len())
		for i := range out {
			out[i] = str(v.Index(i).Interface())
		}
		return out
	}
	return []string{str(in)}
}

func firstOf(in, value any) any {
	if str(in) == "" {
		return value
	}
	return in
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func splitPairs(sep string, in any) map[string]string {
	out := map[string]string{}
	for _, word := range list(in) {
		key, value, ok := strings.Cut(word, sep)
		if !ok {
			value = "true"
		}
		out[key] = value
	}
	return out
}

func joinPairs(sep string, in map[string]string) []string {
	var out []string
	for key, value := range in {
		out = append(out, key+sep+value)
	}
	slices.Sort(out)
	return out
}

// substring takes "FROM:TO", of which either may be missing.
func substring(bounds string, in any) (string, error) {
	s := str(in)
	from, to, ok := strings.Cut(bounds, ":")
	start, end := 0, len(s)
	var err1, err2 error
	if from != "" {
		start, err1 = strconv.Atoi(from)
	}
	if to != "" {
		end, err2 = strconv.Atoi(to)
	}
	if !ok || err1 != nil || err2 != nil || start < 0 || start > end || end > len(s) {
		return "", fmt.Errorf("there is no part %q of %q", bounds, s)
	}
	return s[start:end], nil
}

// drop leaves out the words that are like a pattern.
func drop(pattern string, in any) ([]string, error) {
	var out []string
	for _, word := range list(in) {
		is, err := path.Match(pattern, word)
		if err != nil {
			return nil, err
		}
		if !is {
			out = append(out, word)
		}
	}
	return out, nil
}

// sequence counts from 0.
func sequence(in any) ([]string, error) {
	n, err := strconv.Atoi(str(in))
	if err != nil || n < 0 || n > maxSeq {
		return nil, fmt.Errorf("%q is no number up to %d", str(in), maxSeq)
	}
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out, nil
}

func unique(lists ...any) []string {
	var out []string
	for _, in := range lists {
		for _, word := range list(in) {
			if !slices.Contains(out, word) {
				out = append(out, word)
			}
		}
	}
	return out
}
