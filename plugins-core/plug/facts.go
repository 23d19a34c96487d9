package plug

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

// Fact is what a report says of an app: "app enabled" of the area "domains" is the line "Domains app enabled:", the
// flag --domains-app-enabled and the key app-enabled.
type Fact struct {
	Name, Value string
	Bare        bool // without the area: "Deployed:", --deployed and deployed
}

// Facts are a report, in its order.
type Facts []Fact

// Reporter is a verb AREA:report, in the form that plugins know (plugin-contract, section 7).
type Reporter struct {
	Area   string
	Of     func(ctx context.Context, c *C, a app.App) (Facts, error)
	Global func(ctx context.Context, c *C) (Facts, error) // nil: --global is unknown
	Bare   bool                                           // there are facts without the area
	Other  *Subject                                       // it reports on these, and not on apps
}

// Subject is what a report is about that is not about apps.
type Subject struct {
	Name string // in help and as a key, such as stack
	List func(ctx context.Context, c *C) ([]string, error)
	Of   func(ctx context.Context, c *C, name string) (Facts, error)
}

// Hook is the plugin's part of a report on all: [APP].
func (r Reporter) Hook(ctx context.Context, c *C) error {
	own := *c.Call
	own.Args = c.Args[:min(1, len(c.Args))]
	return r.Run(ctx, &C{Call: &own, verb: c.verb})
}

const globalWord = "--global"

// Args are the words that a report takes.
func (r Reporter) Args() string {
	target := "[APP]"
	if r.Other != nil {
		target = "[" + strings.ToUpper(r.Other.Name) + "]"
	}
	if r.Global != nil {
		target = "[APP|--global]"
	}
	return "[--format json] " + target + " [--" + r.Area + "-...]"
}

// Run is the verb: a report on one app, on each, or on what all have in common.
func (r Reporter) Run(ctx context.Context, c *C) error {
	format, flag, names, err := r.words(c)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		if flag != "" {
			return c.Usage("cannot show %s of no %s: name the %s", flag, r.subject(), r.subject())
		}
		if names, err = r.list(ctx, c); err != nil {
			return err
		}
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, r.one(ctx, c, name, format, flag))
	}
	return errors.Join(errs...)
}

func (r Reporter) subject() string {
	if r.Other != nil {
		return r.Other.Name
	}
	return "app"
}

func (r Reporter) list(ctx context.Context, c *C) ([]string, error) {
	if r.Other != nil {
		return r.Other.List(ctx, c)
	}
	return app.List(c.Settings().Root())
}

func (r Reporter) one(ctx context.Context, c *C, name, format, flag string) error {
	if name == globalWord {
		facts, err := r.Global(ctx, c)
		if err != nil {
			return err
		}
		return r.print(c, facts, "Global", format, flag)
	}
	if r.Other != nil {
		facts, err := r.Other.Of(ctx, c, name)
		if err != nil {
			return err
		}
		return r.print(c, facts, name, format, flag)
	}
	a, err := app.Find(c.Settings().Root(), name)
	if err != nil {
		return err
	}
	facts, err := r.Of(ctx, c, a)
	if err != nil {
		return err
	}
	return r.print(c, facts, a.Name, format, flag)
}

// words reads [APP] [--format json|text] [--AREA-NAME].
func (r Reporter) words(c *C) (format, flag string, names []string, err error) {
	format = "text"
	for i := 0; i < len(c.Args); i++ {
		word := c.Args[i]
		switch {
		case word == "--format" && i+1 < len(c.Args):
			i++
			format = c.Args[i]
		case strings.HasPrefix(word, "--format="):
			format = strings.TrimPrefix(word, "--format=")
		case word == "--all":
		case word == globalWord && r.Global != nil:
			names = append(names, word)
		case strings.HasPrefix(word, "--"+r.Area+"-"), r.Bare && strings.HasPrefix(word, "--") && word != globalWord:
			flag = word
		case strings.HasPrefix(word, "-"):
			return "", "", nil, c.Usage("cannot use option %q: it is unknown", word)
		default:
			names = append(names, word)
		}
	}
	switch {
	case format == "stdout":
		format = "text"
	case format != "text" && format != "json":
		return "", "", nil, c.Usage("cannot print as %q: the formats are json and text", format)
	}
	if len(names) > 1 {
		return "", "", nil, c.Usage("cannot use %q: too many words", names[1])
	}
	return format, flag, names, nil
}

func (r Reporter) print(c *C, facts Facts, name, format, flag string) error {
	key := func(f Fact) string { return strings.ReplaceAll(f.Name, " ", "-") }
	if flag != "" {
		var valid []string
		for _, fact := range facts {
			name := "--" + r.Area + "-" + key(fact)
			if fact.Bare {
				name = "--" + key(fact)
			}
			if flag == name {
				fmt.Fprintln(c.Stdout, fact.Value)
				return nil
			}
			valid = append(valid, name)
		}
		slices.Sort(valid)
		//lint:ignore ST1005 scripts know this text
		return fmt.Errorf("Invalid flag passed, valid flags: %s", strings.Join(valid, ", "))
	}
	if format == "json" {
		out := map[string]string{r.subject(): name}
		for _, fact := range facts {
			out[key(fact)] = fact.Value
		}
		e := json.NewEncoder(c.Stdout)
		e.SetEscapeHTML(false)
		return e.Encode(out)
	}
	area := strings.ReplaceAll(r.Area, "-", " ")
	c.Info2Quiet("%s %s information", name, area)
	for _, fact := range facts {
		title := area + " " + strings.ReplaceAll(fact.Name, "-", " ")
		if fact.Bare {
			title = fact.Name
		}
		title = strings.ToUpper(title[:1]) + title[1:]
		c.Verbose("%s", strings.TrimRight(fmt.Sprintf("%-30s %-25s", title+":", fact.Value), " "))
	}
	return nil
}
