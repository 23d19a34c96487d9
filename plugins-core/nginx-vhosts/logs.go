package nginxvhosts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Properties of an app, or of all apps, about the files in which nginx writes down what it does for the app.
const (
	accessLog    = "access-log-path"   // a file, syslog:..., or off
	errorLog     = "error-log-path"    // the same
	accessFormat = "access-log-format" // the name of a log_format of nginx; "": the usual one
)

func logKeys() []string { return []string{accessFormat, accessLog, errorLog} }

// plain tells whether a text has only letters, digits and the characters of more.
func plain(text, more string) bool {
	for _, r := range text {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(more, r) {
			return false
		}
	}
	return true
}

func isTarget(text string) bool {
	rest, syslog := strings.CutPrefix(text, "syslog:")
	return text == "off" || (syslog && rest != "" || strings.HasPrefix(text, "/")) && plain(text, "_./:=,@+-[]")
}

// checkLog refuses what may not be in nginx' files.
func checkLog(key, value string) error {
	switch {
	case value == "":
	case key == accessFormat && !plain(value, "_"):
		return fmt.Errorf("cannot use %q as %s: give the name of a log_format of nginx", value, key)
	case key != accessFormat && !isTarget(value):
		return fmt.Errorf("cannot use %q as %s: give the path of a file, syslog: and where to, or off", value, key)
	}
	return nil
}

// logRoot is the directory of the apps' logs; "" when there is none, and when it would be that of the host's nginx and
// ours is another, which may not write there.
func (s *site) logRoot() string {
	dir := s.s.Get(settings.NginxLogRoot, "")
	if dir == "" && s.mastersKeys() {
		dir = "/var/log/nginx"
	}
	if !isDir(dir) {
		return ""
	}
	return dir
}

// logOf is where a log of the app goes; "" when it has none: its directory is not there.
func (s *site) logOf(key string) (string, error) {
	value := property.Get(s.s, pluginName, s.app.Name, key)
	if value != "" || key == accessFormat {
		return value, checkLog(key, value)
	}
	dir := s.logRoot()
	if dir == "" {
		return "", nil
	}
	file := filepath.Join(dir, s.app.Name+"-"+strings.TrimSuffix(key, "-log-path")+".log")
	return file, checkLog(key, file)
}

// logLines are the lines of the app's nginx.conf about its logs.
func (s *site) logLines() ([]string, error) {
	var lines []string
	access, err1 := s.logOf(accessLog)
	format, err2 := s.logOf(accessFormat)
	failures, err3 := s.logOf(errorLog)
	if access != "" {
		lines = append(lines, accessLine(access, format))
	}
	if failures != "" {
		lines = append(lines, errorLine(failures))
	}
	return lines, errors.Join(err1, err2, err3)
}

func accessLine(to, format string) string {
	if to != "off" && format != "" {
		to += " " + format
	}
	return "access_log " + to + ";"
}

func errorLine(to string) string {
	if to == "off" { // which nginx would take for a file
		to = "/dev/null crit"
	}
	return "error_log " + to + ";"
}

// tryFile is a server that is there only while nginx tests it. Its name is one of those that nginx includes.
func (h *host) tryFile() string {
	return filepath.Join(h.s.Data(pluginName), tlsDefaultFile+".trial")
}

// tryLog has nginx test a value that is to be for all apps: one that it refuses would fail the next deploy of each.
func (h *host) tryLog(ctx context.Context, key, value string) error {
	line := errorLine(value)
	switch key {
	case accessFormat:
		line = accessLine("/dev/null", value)
	case accessLog:
		line = accessLine(value, "")
	}
	unlock, err := h.site("").lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("server {")
	listen(h.s, p, h.s.Get(settings.NginxPort, "80"), "")
	p("  server_name _dokku_trial;") // no host is called so
	p("  %s", line)
	p("  return 404;")
	p("}")
	if err := record.Write(h.tryFile(), []byte(b.String()), 0o644); err != nil {
		return err
	}
	err = testConfig(ctx, h.c)
	if e := record.Remove(h.tryFile()); e != nil {
		return errors.Join(err, e)
	}
	var refused *refusal
	if !errors.As(err, &refused) {
		return err
	}
	if testConfig(ctx, h.c) != nil {
		h.c.Warn("nginx refuses its configuration already, so it cannot tell whether %q is good; see: dokku nginx:validate-config", value)
		return nil
	}
	return fmt.Errorf("cannot use %q as %s: %s", value, key, refused.message)
}

// showLog is a verb that shows the end of a log of the app: APP [-t].
func showLog(key string) plug.Hook {
	return func(ctx context.Context, c *plug.C) error {
		follow := false
		var words []string
		for _, word := range c.Args {
			switch {
			case word == "-t" || word == "--tail":
				follow = true
			case strings.HasPrefix(word, "-"):
				return c.Usage("cannot use option %q: it is unknown", word)
			default:
				words = append(words, word)
			}
		}
		if len(words) > 1 {
			return c.Usage("cannot use %q: too many words", words[1])
		}
		c.Args = words
		a, err := c.App(0)
		if err != nil {
			return err
		}
		file, err := (&site{c: c, s: c.Settings(), app: a}).logOf(key)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(file, "/") {
			return fmt.Errorf("cannot show the log of %q: nginx writes none to a file: %s is %q", a.Name, key, file)
		}
		f, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) && !follow {
			return fmt.Errorf("cannot show the log of %q: there is no %s yet", a.Name, file)
		}
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("cannot show the log of %q: %w; have %s in the group adm, to which Debian gives nginx' logs", a.Name, err, c.Settings().User())
		}
		if err == nil {
			_ = f.Close()
		}
		args := []string{"tail", "-n", "100"}
		if follow {
			args = append(args, "-F")
		}
		const endless = 10 * 365 * 24 * time.Hour
		return proc.Run(ctx, proc.Cmd{Args: append(args, "--", file), Env: c.Env, Dir: "/", Stdout: c.Stdout, Stderr: c.Stderr, Timeout: endless})
	}
}

// setLog is nginx:set for these properties: APP|--global KEY [VALUE].
func setLog(ctx context.Context, c *plug.C) error {
	key, value := c.Arg(1), c.Arg(2)
	if len(c.Args) > 3 || !slices.Contains(logKeys(), key) {
		return c.Usage("cannot set %q: the properties are %s", key, strings.Join(logKeys(), ", "))
	}
	if err := checkLog(key, value); err != nil {
		return err
	}
	global := c.Arg(0) == property.Global
	if global || value != "" && value != "off" && key != accessFormat {
		if err := c.Admin(ctx); err != nil { // it is of all apps, or nginx' master, who is root, writes there
			return err
		}
	}
	if global {
		if value != "" {
			if err := (&host{c: c, s: c.Settings()}).tryLog(ctx, key, value); err != nil {
				return err
			}
		}
		if err := property.Set(c.Settings(), pluginName, property.Global, key, value); err != nil {
			return err
		}
		c.Info1("Setting %s of all applications", key)
		c.Verbose("It holds for each from its next deploy on, or: dokku nginx:build-config APP")
		return nil
	}
	a, err := c.App(0)
	if err != nil {
		return err
	}
	return c.Lock(ctx, a, func(c *plug.C) error { return setOf(ctx, c, a, key, value) })
}

// setOf sets it for an app, and has nginx go by it; when nginx does not want it, all is as it was.
func setOf(ctx context.Context, c *plug.C, a app.App, key, value string) error {
	before, err := property.Own(c.Settings(), pluginName, a.Name, key)
	if err != nil {
		return err
	}
	if err := property.Set(c.Settings(), pluginName, a.Name, key, value); err != nil {
		return err
	}
	if err := deploy.Reproxy(ctx, c, a); err != nil {
		return errors.Join(err, property.Set(c.Settings(), pluginName, a.Name, key, before))
	}
	c.Info1("Setting %s of %s", key, a.Name)
	return nil
}
