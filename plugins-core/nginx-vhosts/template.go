package nginxvhosts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// custom is a template from which an app's configuration is made, in the place of ours.
type custom struct {
	text, from string
	shell      bool // of the years before sigil
	port       int  // at which the web processes listen in their containers, as their image says; 0: it does not
}

func (t *custom) fail(a app.App, err error) error {
	return fmt.Errorf("cannot use %s of %q: %w", t.from, a.Name, err)
}

// expand is the text that the template makes.
func (t *custom) expand(a app.App, vars variables) (text string, err error) {
	if t.shell {
		text, err = expandShell(t.text, vars)
	} else {
		text, err = expandSigil(t.text, vars)
	}
	if err != nil {
		return "", t.fail(a, err)
	}
	return text, nil
}

// template finds the app's template: that of an admin in the app's directory, else the one that is in the source of
// what serves, which the image of its containers keeps; nil when there is none.
func (s *site) template(ctx context.Context) (*custom, error) {
	for _, name := range []string{hosts.SigilTemplate, hosts.ShellTemplate} {
		text, err := deploy.ServerFile(s.app, name, "the template")
		if err != nil {
			return nil, err
		}
		if text != "" {
			t := &custom{text: text, from: name, shell: name == hosts.ShellTemplate}
			if image, err := s.image(ctx); err == nil { // else it is better served under the usual port than not at all
				t.port = image.Port
			}
			return t, nil
		}
	}
	if s.ownsIgnored() {
		return nil, nil
	}
	image, err := s.image(ctx)
	if err != nil {
		return nil, err
	}
	t, err := customOf(image.Labels)
	if t != nil {
		t.port = image.Port
	}
	return t, err
}

// serving is what has to be known of the image that an app's containers are of.
type serving struct {
	Container string            `json:"container"` // the one that was looked at
	Labels    map[string]string `json:"labels,omitempty"`
	Port      int               `json:"port,omitempty"`
}

// image looks at the image of the app's containers; what it finds is kept, so that the names of an app can be changed
// while the engine is down.
func (s *site) image(ctx context.Context) (serving, error) {
	files := s.app.StateFiles("CONTAINER.web.*")
	if len(files) == 0 {
		return serving{}, nil
	}
	found := serving{Container: s.app.State(files[0])}
	var kept serving
	if data, err := os.ReadFile(s.imageFile()); err == nil && json.Unmarshal(data, &kept) == nil && kept.Container == found.Container {
		return kept, nil
	}
	engine, err := dockerapi.New(s.s)
	if err != nil {
		return found, err
	}
	defer engine.Close()
	name, keep := s.app.Image(deploy.LatestTag), false
	container, err := engine.Inspect(ctx, found.Container)
	if err == nil {
		name, keep = container.Image, true
	} else if !dockerapi.IsNotFound(err) { // then somebody has removed it
		return found, err
	}
	image, err := engine.Image(ctx, name)
	if dockerapi.IsNotFound(err) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	found.Labels = map[string]string{}
	for _, label := range []string{dockerapi.LabelSigil, dockerapi.LabelTemplate} {
		if text := image.Labels[label]; text != "" {
			found.Labels[label] = text
		}
	}
	if len(image.Ports) > 0 {
		found.Port = image.Ports[0]
	}
	if vars, err := s.app.MergedEnv(); err == nil && image.Builder == "dockerfile" {
		if port, err := hosts.PortOf(vars); err == nil && port != 0 { // else the deploy has refused it
			found.Port = port
		}
	}
	if data, err := json.Marshal(found); err == nil && keep {
		_ = record.Write(s.imageFile(), append(data, '\n'), 0o644) // else it is looked at again
	}
	return found, nil
}

func (s *site) imageFile() string { return filepath.Join(s.s.Data(pluginName), "images", s.app.Name) }

// customOf is the template that labels keep.
func customOf(labels map[string]string) (*custom, error) {
	for _, kept := range []struct{ label, name string }{{dockerapi.LabelSigil, hosts.SigilTemplate}, {dockerapi.LabelTemplate, hosts.ShellTemplate}} {
		text, err := base64.StdEncoding.DecodeString(labels[kept.label])
		if err != nil {
			return nil, fmt.Errorf("cannot read label %s: it is not base64", kept.label)
		}
		if len(text) > 0 {
			return &custom{text: string(text), from: kept.name, shell: kept.name == hosts.ShellTemplate}, nil
		}
	}
	return nil, nil
}

// ownsIgnored tells whether templates in the app's source do not count.
func (s *site) ownsIgnored() bool {
	return property.Get(s.s, pluginName, s.app.Name, ignoreKey) == "true"
}

// inspectSource refuses a source with a template that is broken, before anything is built. A template decides what nginx
// reads and writes on the host, so one that is new takes an admin.
func inspectSource(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	s := &site{c: c, s: c.Settings(), app: a}
	labels, err := deploy.SourceLabels(s.s, a, c.Arg(1))
	if err != nil {
		return err
	}
	t, err := customOf(labels)
	if err != nil || t == nil || s.ownsIgnored() {
		return err
	}
	names, err := s.names(ctx)
	if err != nil {
		return err
	}
	if _, err := s.textFrom(t, names, nil, s.usualPorts(nil), []string{"127.0.0.1:5000"}); err != nil {
		return err
	}
	engine, err := dockerapi.New(s.s)
	if err != nil {
		return err
	}
	defer engine.Close()
	image, err := engine.Image(ctx, a.Image(deploy.LatestTag))
	if err != nil && !dockerapi.IsNotFound(err) {
		return err
	}
	if err == nil {
		if old, err := customOf(image.Labels); err == nil && old != nil && old.text == t.text && old.shell == t.shell {
			return nil
		}
	}
	if err := c.Trigger(ctx, "user-auth", c.Getenv("SSH_USER"), c.Getenv("SSH_NAME"), plug.AdminVerb, "nginx:build-config", a.Name); err != nil {
		return t.fail(a, errors.New("it is new, and it takes an admin to serve by it: Access denied"))
	}
	c.Info1("Serving %s by the %s of its source", a.Name, t.from)
	return nil
}
