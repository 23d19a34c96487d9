package checks

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// probe is the check of one container.
type probe struct {
	c      *plug.C
	engine *dockerapi.Engine
	app    app.App
	id     string
	kind   string
	port   int    // 0: it has none
	ip     string // "": it has no address of its own
	image  *dockerapi.Image
	values values
	open   bool // its port has accepted a connection
}

// name is the process in messages.
func (p *probe) name() string { return p.app.Name + "'s " + p.kind }

// checkDeploy checks a new container: APP CONTAINER TYPE PORT IP.
func checkDeploy(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) < 5 {
		return c.Usage("cannot run hook %q: give it APP CONTAINER TYPE PORT IP", c.Hook)
	}
	p := &probe{c: c, app: a, id: c.Arg(1), kind: c.Arg(2), ip: c.Arg(4)}
	if text := c.Arg(3); text != "" {
		if p.port, err = strconv.Atoi(text); err != nil || p.port < 0 || p.port > 65535 {
			return c.Usage("cannot check port %q of %s: it is no port", text, p.name())
		}
	}
	if p.ip != "" && net.ParseIP(p.ip) == nil {
		return c.Usage("cannot check %s at %q: it is no address", p.name(), p.ip)
	}
	if p.values, err = readValues(c, a); err != nil {
		return err
	}
	if why := p.skipped(); why != "" {
		c.Info1("Skipping the checks of %s: %s", p.name(), why)
		return nil
	}
	if p.engine, err = dockerapi.New(c.Settings()); err != nil {
		return err
	}
	defer p.engine.Close()
	got, err := p.engine.Inspect(ctx, p.id)
	if err != nil {
		return err
	}
	if p.image, err = p.engine.Image(ctx, got.Image); err != nil {
		return err
	}
	return p.watched(ctx)
}

// skipped says why the container is not checked; "" when it is.
func (p *probe) skipped() string {
	switch s := p.c.Settings(); {
	case p.values.On(settings.SkipAllChecks):
		return settings.SkipAllChecks + " is set"
	case readTypes(s, p.app, disabled).has(p.kind):
		return "they are disabled"
	case readTypes(s, p.app, skipped).has(p.kind):
		return "they are to be skipped"
	}
	return ""
}

// watched runs the checks for as long as the container does: its end is theirs.
func (p *probe) watched(ctx context.Context) error {
	running, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		status, err := p.engine.Wait(running, p.id)
		if err == nil {
			err = &endedError{fmt.Sprintf("cannot deploy: %s process ended with status %d%s", p.name(), status, p.reason(running))}
		}
		stop(err)
	}()
	err := p.run(running)
	if err != nil && ctx.Err() == nil {
		// What went wrong may be that there is no process to ask any more, which is then the better reason.
		if got, inspectErr := p.engine.Inspect(ctx, p.id); inspectErr == nil && !got.Running {
			<-ended
		}
	}
	if cause := context.Cause(running); cause != nil {
		err = cause
	}
	stop(nil)
	<-ended
	if ctx.Err() != nil { // nobody waits for it any more
		return err
	}
	var end *endedError
	if errors.As(err, &end) {
		p.c.Warn("App container failed to start!!")
	}
	if err != nil {
		p.showOutput(ctx)
	}
	return err
}

// endedError says that the container ended while it was checked.
type endedError struct{ text string }

func (e *endedError) Error() string { return e.text }

// run chooses the checks: CHECKS for a web process, else what app.json says of the process, else the default one.
func (p *probe) run(ctx context.Context) error {
	list, err := p.health()
	if err != nil {
		return err
	}
	if p.kind == "web" {
		checks, err := p.checksFile(ctx)
		if err != nil {
			return err
		}
		if checks != nil && len(checks.checks) > 0 {
			if len(list) > 0 {
				p.c.Verbose("CHECKS is there, so the healthchecks of app.json for web are not used")
			}
			return p.runList(ctx, checks)
		}
	}
	if len(list) > 0 {
		return p.runHealth(ctx, list)
	}
	if p.values.On(settings.SkipDefault) {
		p.c.Info1("Skipping the default check of %s: %s is set", p.name(), settings.SkipDefault)
		return nil
	}
	return p.runDefault(ctx)
}

// health is what app.json says of the process, without what a deploy does not run.
func (p *probe) health() ([]health, error) {
	text, err := labelText(p.image, dockerapi.LabelAppJSON)
	if err != nil {
		return nil, err
	}
	all, warnings, err := parseHealth([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("cannot read app.json of %q: %w", p.app.Name, err)
	}
	for _, w := range warnings {
		if strings.HasPrefix(w, "healthchecks."+p.kind+"[") {
			p.c.Warn("app.json: %s", w)
		}
	}
	return atDeploy(all[p.kind]), nil
}

// checksFile reads the app's CHECKS; nil when there is none.
func (p *probe) checksFile(ctx context.Context) (*list, error) {
	text, from, err := findChecks(ctx, p.app, p.image, func(ctx context.Context, path string) ([]byte, error) {
		return p.engine.CopyFrom(ctx, p.id, path, deploy.MaxSourceFile)
	})
	if err != nil || from == "" {
		return nil, err
	}
	checks, err := parseList(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use the CHECKS of %q (from %s): %w", p.app.Name, from, err)
	}
	for _, w := range checks.ignored {
		p.c.Warn("CHECKS: %s", w)
	}
	if len(checks.checks) == 0 {
		p.c.Warn("CHECKS (from %s) names nothing to check: the file is not used", from)
	}
	return checks, nil
}

// findChecks returns the text of the app's CHECKS and where it comes from, "" when there is none: the server's file,
// the tree that the image was built from, a file in the container.
func findChecks(ctx context.Context, a app.App, image *dockerapi.Image, read func(context.Context, string) ([]byte, error)) (text, from string, err error) {
	if text, err = serverFile(a); err != nil || text != "" {
		return text, "the server", err
	}
	if text, err = labelText(image, dockerapi.LabelChecks); err != nil || text != "" {
		return text, "the source", err
	}
	paths := []string{"/app/CHECKS"}
	if dir := path.Clean("/" + image.WorkDir); dir != "/app" {
		paths = append(paths, path.Join(dir, "CHECKS"))
	}
	for _, file := range paths {
		data, err := read(ctx, file)
		if dockerapi.IsNotFound(err) {
			continue
		}
		if err != nil || len(data) > 0 {
			return string(data), file + " in the container", err
		}
	}
	return "", "", nil
}

// labelText is the text that a label of the image keeps.
func labelText(image *dockerapi.Image, label string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(image.Labels[label])
	if err != nil {
		return "", fmt.Errorf("cannot read label %s of image %s: it is not base64", label, image.ID)
	}
	return string(data), nil
}

// pause waits before an attempt: as long as it is told, but where the port has not accepted connections yet only until
// it does.
func (p *probe) pause(ctx context.Context, wait time.Duration) error {
	if p.open {
		return p.sleep(ctx, wait)
	}
	var err error
	p.open, err = p.await(ctx, p.port, wait)
	return err
}

// await waits until the port accepts connections, but not longer than it is told, and tells whether it does.
func (p *probe) await(ctx context.Context, port int, limit time.Duration) (open bool, err error) {
	polling, stop := context.WithCancel(ctx)
	defer stop()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.listening(polling, port):
		return true, nil
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// listening is closed when the port accepts connections. The container's own address is asked: at the published port
// the engine's proxy answers for an app that does not listen.
func (p *probe) listening(ctx context.Context, port int) <-chan struct{} {
	open := make(chan struct{})
	if port == 0 || p.ip == "" {
		return open
	}
	go func() {
		pause := 5 * time.Millisecond
		for ctx.Err() == nil {
			if p.accepts(ctx, port, time.Second) == nil {
				close(open)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(pause):
				pause = min(pause*3/2, 100*time.Millisecond)
			}
		}
	}()
	return open
}

// accepts asks for one connection.
func (p *probe) accepts(ctx context.Context, port int, timeout time.Duration) error {
	d := net.Dialer{Timeout: timeout}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(p.ip, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return conn.Close()
}

func (p *probe) reason(ctx context.Context) string {
	got, err := p.engine.Inspect(ctx, p.id)
	switch {
	case err != nil:
		return ""
	case got.OOMKilled:
		return " (out of memory)"
	case got.Error != "":
		return " (" + got.Error + ")"
	}
	return ""
}

// showOutput prints the container's last lines, which are most often the reason.
func (p *probe) showOutput(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	name := p.app.Name
	if p.kind != "web" {
		name += " " + p.kind
	}
	p.c.Info2("%s container output:", name)
	if err := p.engine.Logs(ctx, p.id, 30, false, p.c.Stdout, p.c.Stdout); err != nil {
		p.c.Warn("%v", err)
	}
	p.c.Info2("end %s container output", name)
}
