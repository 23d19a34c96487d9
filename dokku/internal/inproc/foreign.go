package inproc

import (
	"os"

	"github.com/dokku-go/dokku/pluginhook"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// foreign is the call of a hook of a plugin that is not core's: in its PATH comes first what has plugins of its time find
// what they were written for. Plugins of 2014, which have no plugin.toml, also get the arguments of then.
func foreign(c *pluginhook.Call) *pluginhook.Call {
	call := *c
	age := plug.AgeToday
	if _, err := os.Stat(c.Dir + "/plugin.toml"); err != nil {
		age = plug.Age2014
		call.Args = legacyArgs(c)
		// The names of distributions that they know; on all others they leave out to reload nginx.
		if distro, _ := settings.Lookup(c.Env, "DOKKU_DISTRO"); distro == "debian" {
			call.Env = settings.Set(call.Env, "DOKKU_DISTRO", "ubuntu")
		}
	}
	path, _ := settings.Lookup(c.Env, "PATH")
	call.Env = settings.Set(call.Env, "PATH", settings.Settings{Env: c.Env}.CompatPath(age)+":"+path)
	return &call
}

// legacyArgs are the arguments that plugins of 2014 get of the hooks whose arguments have changed since: APP IMAGE
// (plugin-contract, section 3).
func legacyArgs(c *pluginhook.Call) []string {
	var app string
	switch {
	case (c.Hook == "pre-build" || c.Hook == "post-build") && len(c.Args) == 3:
		app = c.Args[1]
	case c.Hook == "pre-deploy" && len(c.Args) == 2:
		app = c.Args[0]
	default:
		return c.Args
	}
	return []string{app, "dokku/" + app}
}
