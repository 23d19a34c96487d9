package plug

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// AdminVerb is what `user-auth` is asked about before somebody gets power over the host; the verb's own words follow.
const AdminVerb = "admin"

// What dokku tells itself about leave that was asked for. Clients cannot set it.
const (
	Authorised    = "DOKKU_AUTHORISED"     // AuthorisedNow in the command that was asked about, AuthorisedBefore in those below it
	AuthorisedApp = "DOKKU_AUTHORISED_APP" // the word behind the verb that was asked about

	AuthorisedNow    = "1"
	AuthorisedBefore = "2"
)

// Plain returns the arguments with the app's name in its one form, as far as the verb knows others.
func (cmd *Command) Plain(s settings.Settings, args []string) []string {
	if cmd.AppName == nil || len(args) == 0 {
		return args
	}
	args = slices.Clone(args)
	args[0] = cmd.AppName(s, args[0])
	return args
}

// Asked returns the words for which leave is asked: the verb, the app that it is about, and then all the rest, so that
// who decides finds the app in one place. A verb that finds another app there than was asked about gets none: see
// [C.Find].
func (cmd *Command) Asked(args []string) []string {
	verb := cmd.Name
	if cmd.Same != "" {
		verb = cmd.Same
	}
	words := append([]string{verb}, args...)
	if i := cmd.appIndex(args); i > 0 {
		words = slices.Insert(slices.Delete(words, i+1, i+2), 1, args[i])
	}
	return words
}

// appIndex returns where the app stands in the arguments: the first that is no option and no option's value, or the word
// for all of them; -1 when there is none.
func (cmd *Command) appIndex(args []string) int {
	before, _, ok := strings.Cut(cmd.Args, "APP")
	if !ok {
		return -1
	}
	for i := 0; i < len(args); i++ {
		switch word := args[i]; {
		case !strings.HasPrefix(word, "-") || word == "--all" || word == "--global":
			return i
		case strings.Contains(before, "["+word+" "): // [-n NUM]
			i++
		}
	}
	return -1
}

// Admin is nil when whoever acts may have power over the host, such as by options for containers: everybody may, unless
// a plugin has `user-auth`, which is asked then. What hooks do is not theirs but the plugin's.
func (c *C) Admin(ctx context.Context) error {
	if c.verb == nil || c.Getenv(Authorised) != AuthorisedNow {
		return nil
	}
	words := append([]string{c.Getenv("SSH_USER"), c.Getenv("SSH_NAME"), AdminVerb, c.verb.Name}, c.Args...)
	if err := c.Trigger(ctx, "user-auth", words...); err != nil {
		return errors.Join(fmt.Errorf("cannot run %s: Access denied: it takes an admin", c.verb.Name), err)
	}
	return nil
}
