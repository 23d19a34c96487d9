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
	"text/template/parse"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
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
	clock, err := template.New("clock").Funcs(functions(vars)).Parse("{{ " + tickName + " }}")
	if err != nil {
		return "", err
	}
	for _, t := range tmpl.Templates() {
		addTicks(t.Root, clock.Root.Nodes[0])
	}
	out := &bounded{}
	if err := tmpl.Execute(out, vars.own); err != nil {
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
	if err := fits(b.Len() + len(p)); err != nil {
		return 0, err
	}
	return b.Buffer.Write(p)
}

// tickName is the function that looks at the time.
const tickName = "dokku_tick"

// addTicks has each round of a loop, each branch, and each template that is called look at the time first.
func addTicks(list *parse.ListNode, tick parse.Node) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.RangeNode:
			addTicks(n.List, tick)
			addTicks(n.ElseList, tick)
		case *parse.IfNode:
			addTicks(n.List, tick)
			addTicks(n.ElseList, tick)
		case *parse.WithNode:
			addTicks(n.List, tick)
			addTicks(n.ElseList, tick)
		}
	}
	list.Nodes = append([]parse.Node{tick}, list.Nodes...)
}

func functions(vars variables) template.FuncMap {
	all := counted(template.FuncMap{
		"printf":     printf,
		"print":      printer(1, fmt.Sprint),
		"println":    printer(1, fmt.Sprintln),
		"html":       printer(6, template.HTMLEscaper),
		"js":         printer(6, template.JSEscaper),
		"urlquery":   printer(6, template.URLQueryEscaper),
		"var":        vars.get,
		"split":      func(sep string, in any) ([]string, error) { return held(strings.Split(str(in), sep)) },
		"splitkv":    splitPairs,
		"join":       join,
		"joinkv":     joinPairs,
		"default":    func(value, in any) any { return firstOf(in, value) },
		"replace":    replace,
		"trim":       func(in any) string { return strings.TrimSpace(str(in)) },
		"lower":      func(in any) string { return strings.ToLower(str(in)) },
		"upper":      func(in any) string { return strings.ToUpper(str(in)) },
		"capitalize": func(in any) string { return capital(str(in)) },
		"substr":     substring,
		"indent": func(by string, in any) (string, error) {
			text, err := replace("\n", "\n"+by, in)
			if err == nil {
				err = fits(len(by) + len(text))
			}
			return by + text, err
		},
		"match":  func(pattern string, in any) (bool, error) { return path.Match(pattern, str(in)) },
		"seq":    sequence,
		"uniq":   unique,
		"append": func(item, in any) ([]string, error) { return held(append(slices.Clone(list(in)), str(item))) },
		"drop":   drop,
	})
	end := time.Now().Add(maxTime)
	all[tickName] = func() (string, error) { // makes nothing, and is called the most
		if time.Now().After(end) {
			return "", errors.New("it does not end")
		}
		return "", nil
	}
	return all
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

func replace(old, with string, in any) (string, error) {
	text := str(in)
	if err := fits(len(text) + strings.Count(text, old)*len(with)); err != nil {
		return "", err
	}
	return strings.ReplaceAll(text, old, with), nil
}

// held is a list whose words are together no more than a text may be: any function may make one text of them.
func held(words []string) ([]string, error) {
	size := 0
	for _, word := range words {
		size += len(word) + 1
	}
	return words, fits(size)
}

func join(sep string, in any) (string, error) {
	words, size := list(in), 0
	for _, word := range words {
		size += len(word) + len(sep)
	}
	if err := fits(size); err != nil {
		return "", err
	}
	return strings.Join(words, sep), nil
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

func joinPairs(sep string, in map[string]string) ([]string, error) {
	var out []string
	size := 0
	for key, value := range in {
		if size += len(key) + len(sep) + len(value); size > maxText {
			break
		}
		out = append(out, key+sep+value)
	}
	slices.Sort(out)
	return out, fits(size)
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

func unique(lists ...any) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	for _, in := range lists {
		for _, word := range list(in) {
			if !seen[word] {
				seen[word] = true
				out = append(out, word)
			}
		}
	}
	return held(out)
}
