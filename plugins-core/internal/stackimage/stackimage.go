// Package stackimage is what is known of an image on which apps are built, whoever made it: which program builds there,
// and, of those that stack:create has made, what they are made of (toolchain-2014, sections 9.1 and 9.7).
package stackimage

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// MadeHere is the comment of the images that stack:create makes, and of no other: labels are inherited by what is built on
// them.
const MadeHere = "made by dokku stack:create"

// Labels of images that stack:create has made. What is built on a stack inherits them: [IsStack] tells it apart.
const (
	LabelName         = "com.dokku.stack-name"         // by which the stack was made
	LabelContent      = "com.dokku.stack-content"      // the hash of what was laid over its base
	LabelKind         = "com.dokku.stack-kind"         // a [Kind]
	LabelFrom         = "com.dokku.stack-from"         // what it was made from
	LabelBase         = "com.dokku.stack-base"         // the id of the image that ours was laid over
	LabelRecipe       = "com.dokku.stack-recipe"       // of a root file system that was made here: the name of its recipe
	LabelSuite        = "com.dokku.stack-suite"        // its Debian
	LabelWith         = "com.dokku.stack-with"         // its languages
	LabelCertificates = "com.dokku.stack-certificates" // the name of the set of certificates that it trusts beside the usual
)

// IsStack tells whether an image that has these names and labels is a stack that was made here, and not an image that was
// built on one.
func IsStack(names []string, labels map[string]string) bool {
	_, ofApp := labels[dockerapi.LabelApp]
	name := labels[LabelName]
	for _, n := range names {
		if n == name && name != "" && !ofApp {
			return true
		}
	}
	return false
}

// Of is the image on which the app is built, if it is built on a stack.
func Of(ctx context.Context, c *plug.C, app string) (string, error) {
	name, err := c.FirstLine(ctx, "buildpack-stack-name", app)
	if err != nil || name == "" {
		return c.Settings().StackImage(), err
	}
	return settings.StackRef(name), nil
}

// Kind is which programs an image has.
type Kind string

// The kinds of images.
const (
	Ours      Kind = "dokku"     // has our programs
	Buildstep Kind = "buildstep" // has /build/builder, as the images of 2014 do
	Herokuish Kind = "herokuish" // has /build, which is a program
	Bare      Kind = "bare"      // has none: nothing can be built on it
)

// look is the kind of the containers that images are looked into with; they never run. lookTime is longer than that takes.
const (
	look     = "look"
	lookTime = 10 * time.Minute
)

// Sweep removes those that somebody who was killed has left.
func Sweep(ctx context.Context, engine *dockerapi.Engine) error {
	return engine.RemoveKind(ctx, look, lookTime)
}

// KindOf looks at the image ref.
func KindOf(ctx context.Context, engine *dockerapi.Engine, ref string) (kind Kind, err error) {
	img, err := engine.Image(ctx, ref)
	if err != nil {
		return "", err
	}
	if kind := Kind(img.Labels[LabelKind]); kind != "" && img.Comment == MadeHere {
		return kind, nil
	}
	if err := Sweep(ctx, engine); err != nil {
		return "", err
	}
	id, err := engine.Create(ctx, dockerapi.Spec{Kind: look, Image: ref, Entrypoint: []string{}, Cmd: []string{"/bin/true"}})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, engine.Remove(context.WithoutCancel(ctx), id)) }()
	path, isDir, err := engine.FirstFile(ctx, id, "/build", "/bin/herokuish")
	switch {
	case err != nil:
		return "", err
	case path == "":
		return Bare, nil
	case !isDir: // and the engine would fail over what is below it
		return Herokuish, nil
	}
	switch path, _, err = engine.FirstFile(ctx, id, buildstep.Program, "/build/builder", "/bin/herokuish"); {
	case err != nil:
		return "", err
	case path == buildstep.Program:
		return Ours, nil
	case path == "/build/builder":
		return Buildstep, nil
	case path != "":
		return Herokuish, nil
	}
	return Bare, nil
}

// Script is the line of shell that builds the tree in /app in a container of such an image. A program of others is told
// through its environment what ours reads from files, and what only the build may know is taken away behind it. Herokuish
// reads the variables of the app from files, too.
func (k Kind) Script() string {
	switch k {
	case Buildstep:
		return foreign("/build/builder", buildstep.HostEnvDir+"/* "+buildstep.EnvDir+"/*")
	case Herokuish:
		return "if id " + herokuishUser + " >/dev/null 2>&1; then export USER=" + herokuishUser + "; fi\n" + foreign("/build", buildstep.HostEnvDir+"/*")
	}
	return "exec /build/builder"
}

// herokuishUser owns and runs apps in newer images of herokuish, which know by USER that it is wanted; its number is that of
// our own user. Without it each image has a user of its own.
const herokuishUser = "herokuishuser"

// Changes are of the configuration of an image that was built in the container: what its programs have to know when they
// run.
func (k Kind) Changes(ctx context.Context, engine *dockerapi.Engine, id string) ([]string, error) {
	if k != Herokuish {
		return nil, nil
	}
	users, err := engine.CopyFrom(ctx, id, "/etc/passwd", 1<<20)
	if err != nil || !bytes.Contains(users, []byte("\n"+herokuishUser+":")) {
		return nil, err
	}
	return []string{"ENV USER=" + herokuishUser}, nil
}

func foreign(program, variables string) string {
	return `for f in ` + variables + `; do
  name=${f##*/}
  case $name in PATH | HOME | *[!A-Za-z0-9_]*) continue ;; esac
  if [ -f "$f" ]; then value=$(cat "$f" && echo .) && export "$name=${value%.}"; fi
done
export CACHE_PATH=/cache
` + program + ` </dev/null
status=$?
rm -rf ` + buildstep.EnvDir + " " + buildstep.HostEnvDir + " " + buildstep.InputDir + `
exit $status`
}
