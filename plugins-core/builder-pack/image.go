package builderpack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// metadata is what of a builder image's label is looked at.
type metadata struct {
	Buildpacks []buildpack `json:"buildpacks"`
	Images     []runImage  `json:"images"`
	Stack      struct {
		RunImage runImage `json:"runImage"`
	} `json:"stack"`
	Lifecycle struct {
		APIs struct {
			Platform struct {
				Supported []string `json:"supported"`
			} `json:"platform"`
		} `json:"apis"`
	} `json:"lifecycle"`
}

// runImage is an image on which apps can run, and where else it is.
type runImage struct {
	Image   string   `json:"image"`
	Mirrors []string `json:"mirrors"`
}

const metadataLabel = "io.buildpacks.builder.metadata"

// toolbox is the builder image of a build.
type toolbox struct {
	name     string
	id       string
	metadata metadata
	uid, gid int
	run      string // the image on which the app will run; "": the lifecycle's choice
	runID    string
	api      string // version of the platform API
}

// platformAPIs are the versions that we speak, the newest first.
func platformAPIs() []string {
	return []string{"0.14", "0.13", "0.12", "0.11", "0.10", "0.9", "0.8", "0.7"}
}

// builderName is the builder image of an app: its stack, what its project.toml asks for, or the host's. The lifecycle has
// the engine's socket, which is power over the host, so only an image counts that an admin has named.
func builderName(ctx context.Context, c *plug.C, a app.App, d *descriptor) (string, error) {
	host := c.Settings().Get(settings.CNBBuilder, "")
	allowed := append(strings.Fields(c.Settings().Get(settings.CNBAllowed, "")), host)
	own, err := c.FirstLine(ctx, "buildpack-stack-name", a.Name)
	if err != nil {
		return "", err
	}
	switch {
	case own != "" && slices.Contains(allowed, own):
		return own, nil
	case d.builder != "" && slices.Contains(allowed, d.builder):
		return d.builder, nil
	case host != "":
		if d.builder != "" {
			c.Warn("The builder %q that project.toml asks for is not allowed on this host: building with %s", d.builder, host)
		}
		return host, nil
	case d.builder != "":
		return "", fmt.Errorf("cannot build %q: its project.toml asks for the builder %q, which is not allowed on this host; an admin names it in %s", a.Name, d.builder, settings.CNBAllowed)
	case own != "":
		return "", fmt.Errorf("cannot build %q with pack: its stack %q is not allowed as a builder on this host; an admin names it in %s", a.Name, own, settings.CNBAllowed)
	}
	return "", fmt.Errorf("cannot build %q with pack: this host has no builder image; an admin sets %s to one, or have it built by another: dokku builder:set %s selected herokuish", a.Name, settings.CNBBuilder, a.Name)
}

// openToolbox looks at a builder image, and whether it can be used.
func openToolbox(ctx context.Context, engine *dockerapi.Engine, name string) (*toolbox, error) {
	image, err := engine.Image(ctx, name)
	if dockerapi.IsNotFound(err) {
		return nil, fmt.Errorf("the builder image %s is not there: docker pull %s", name, name)
	}
	if err != nil {
		return nil, err
	}
	t := &toolbox{name: name, id: image.ID}
	if t.uid, err = number(image.Env, "CNB_USER_ID"); err == nil {
		t.gid, err = number(image.Env, "CNB_GROUP_ID")
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no builder image: %w", name, err)
	}
	if text := image.Labels[metadataLabel]; text != "" {
		if err := json.Unmarshal([]byte(text), &t.metadata); err != nil {
			return nil, fmt.Errorf("cannot read the label %s of %s: %w", metadataLabel, name, err)
		}
	}
	if t.api, err = t.platformAPI(); err != nil {
		return nil, err
	}
	return t, t.findRun(ctx, engine)
}

// number is a variable of a builder image: who builds, who is nobody special.
func number(env []string, key string) (int, error) {
	text, _ := settings.Lookup(env, key)
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<31 {
		return 0, fmt.Errorf("its %s is %q, not the number of a user or group other than root", key, text)
	}
	return n, nil
}

// platformAPI is the newest version that the lifecycle of the image knows and we do.
func (t *toolbox) platformAPI() (string, error) {
	known := t.metadata.Lifecycle.APIs.Platform.Supported
	for _, v := range platformAPIs() {
		if slices.Contains(known, v) {
			return v, nil
		}
	}
	if len(known) > 0 {
		return "", fmt.Errorf("the lifecycle of %s speaks the platform API %s, and we speak %s", t.name, strings.Join(known, ", "), strings.Join(platformAPIs(), ", "))
	}
	return "0.12", nil // it does not say
}

// findRun finds the image on which the app will run among those that the builder image names.
func (t *toolbox) findRun(ctx context.Context, engine *dockerapi.Engine) error {
	named := append(slices.Clone(t.metadata.Images), t.metadata.Stack.RunImage)
	var names []string
	for _, r := range named {
		for _, name := range append([]string{r.Image}, r.Mirrors...) {
			if name == "" {
				continue
			}
			id, err := engine.ImageID(ctx, name)
			if err != nil {
				return err
			}
			if id != "" {
				t.run, t.runID = name, id
				return nil
			}
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("the run image of %s is not there: docker pull %s", t.name, names[0])
	}
	return nil
}

// order is the file by which project.toml chooses buildpacks; "" for all that the builder image has.
func (t *toolbox) order(d *descriptor) (string, error) {
	if len(d.group) == 0 {
		return "", nil
	}
	var out strings.Builder
	out.WriteString("[[order]]\n")
	for _, b := range d.group {
		var versions []string
		for _, has := range t.metadata.Buildpacks {
			if has.ID == b.ID {
				versions = append(versions, has.Version)
			}
		}
		switch {
		case b.Version == "" && len(versions) == 1:
			b.Version = versions[0]
		case b.Version == "":
			return "", fmt.Errorf("give the version of buildpack %q; %s has: %s", b.ID, t.name, strings.Join(versions, ", "))
		case !slices.Contains(versions, b.Version):
			return "", fmt.Errorf("%s has no buildpack %s of version %s; it has: %s", t.name, b.ID, b.Version, strings.Join(versions, ", "))
		}
		fmt.Fprintf(&out, "[[order.group]]\nid = %q\nversion = %q\n", b.ID, b.Version)
	}
	return out.String(), nil
}

// checkSocket refuses a builder image whose buildpacks could use the engine: they run as a user of the image, who is in
// the image's one group and no other (see [job.spec]), beside the socket.
func (t *toolbox) checkSocket(socket string) error {
	st, err := os.Stat(socket)
	if err != nil {
		return fmt.Errorf("the engine has to be reached by a socket of this host: %w", err)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		mode := st.Mode().Perm()
		if mode&0o002 != 0 || int(sys.Gid) == t.gid && mode&0o020 != 0 || int(sys.Uid) == t.uid {
			return fmt.Errorf("the buildpacks of %s would run as user %d of group %d, who may use the engine's socket %s here", t.name, t.uid, t.gid, socket)
		}
	}
	return nil
}
