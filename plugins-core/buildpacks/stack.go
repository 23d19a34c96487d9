package buildpacks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
	"github.com/dokku-go/dokku/plugins-core/internal/workdir"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// stackName is the hook buildpack-stack-name: the image on which the app is built, nothing when it is the host's.
func stackName(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	name, err := computedStack(c, a)
	if err == nil && name != "" {
		fmt.Fprintln(c.Stdout, name)
	}
	return err
}

// computedStack is the app's stack, that of all apps, or what dokku of before has it in, the variable DOKKU_IMAGE.
func computedStack(c *plug.C, a app.App) (string, error) {
	if name := property.Get(c.Settings(), pluginName, a.Name, stackKey); name != "" {
		return name, nil
	}
	vars, err := a.MergedEnv()
	if err != nil {
		return "", err
	}
	name := vars[settings.StackImage]
	if name == "" {
		return "", nil
	}
	return name, dockerapi.CheckImageName(name)
}

// setProperty is the verb: APP|--global stack [IMAGE].
func setProperty(ctx context.Context, c *plug.C) error {
	if len(c.Args) < 2 || len(c.Args) > 3 {
		return c.Usage("cannot set %d words", len(c.Args))
	}
	if c.Args[1] != stackKey {
		return c.Usage("cannot set %q: the property is %s", c.Args[1], stackKey)
	}
	name := c.Args[0]
	if name != property.Global {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		name = a.Name
	}
	image := c.Arg(2)
	if image != "" {
		if err := dockerapi.CheckImageName(image); err != nil {
			return err
		}
	}
	if name == property.Global { // what holds for all apps is not for who may only deploy
		if err := c.Admin(ctx); err != nil {
			return err
		}
	}
	if err := property.Set(c.Settings(), pluginName, name, stackKey, image); err != nil {
		return fmt.Errorf("cannot set the stack of %q: %w", name, err)
	}
	if image == "" {
		c.Info1("Unset stack")
		return nil
	}
	c.Info1("Set stack to %s", image)
	return nil
}

func reporter() plug.Reporter {
	return plug.Reporter{Area: pluginName, Of: reportOf, Global: func(_ context.Context, c *plug.C) (plug.Facts, error) {
		global, err := property.Own(c.Settings(), pluginName, property.Global, stackKey)
		return plug.Facts{{Name: "global stack", Value: global}}, err
	}}
}

func reportOf(_ context.Context, c *plug.C, a app.App) (plug.Facts, error) {
	packs, err := readList(c, a)
	if err != nil {
		return nil, err
	}
	for i := range packs {
		packs[i] = shown(packs[i])
	}
	computed, err := computedStack(c, a)
	if err != nil {
		return nil, err
	}
	if computed == "" {
		computed = c.Settings().StackImage()
	}
	global, err := property.Own(c.Settings(), pluginName, property.Global, stackKey)
	if err != nil {
		return nil, err
	}
	own, err := property.Own(c.Settings(), pluginName, a.Name, stackKey)
	if err != nil {
		return nil, err
	}
	return plug.Facts{
		{Name: "computed stack", Value: computed},
		{Name: "global stack", Value: global},
		{Name: "list", Value: strings.Join(packs, ",")},
		{Name: "stack", Value: own},
	}, nil
}

// detect shows what a build of a branch would do, without doing it.
func detect(ctx context.Context, c *plug.C) error {
	name, branch := "", ""
	for i := 0; i < len(c.Args); i++ {
		word := c.Args[i]
		switch {
		case word == "--branch" && i+1 < len(c.Args):
			i++
			branch = c.Args[i]
		case strings.HasPrefix(word, "--branch="):
			branch = strings.TrimPrefix(word, "--branch=")
		case strings.HasPrefix(word, "-"):
			return c.Usage("cannot use option %q: it is unknown", word)
		case name != "":
			return c.Usage("cannot use %q: too many words", word)
		default:
			name = word
		}
	}
	if name == "" {
		return c.Usage("cannot detect anything: name the app")
	}
	a, err := c.Find(name)
	if err != nil {
		return err
	}
	if branch == "" {
		if branch, err = c.FirstLine(ctx, "git-deploy-branch", a.Name); err != nil {
			return err
		}
	}
	dir, err := workdir.Make(a.Name + "-detect")
	if err != nil {
		return err
	}
	defer dir.Remove()
	tree, err := checkOut(ctx, c, a, branch, dir.Path)
	if err != nil {
		return err
	}
	return c.Trigger(ctx, "buildpacks-detect", a.Name, tree)
}

// checkOut puts the tree of the branch into a directory below dir.
func checkOut(ctx context.Context, c *plug.C, a app.App, branch, dir string) (string, error) {
	git := func(args ...string) error {
		_, err := proc.Output(ctx, proc.Cmd{Args: append([]string{"git"}, args...), Env: c.Env, Dir: a.Dir()})
		return err
	}
	ref := "refs/heads/" + branch
	err := git("rev-parse", "--verify", "--quiet", ref+"^{commit}")
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("cannot detect the buildpack of %q: nothing was pushed to %s yet", a.Name, branch)
	}
	file, tree := filepath.Join(dir, "source.tar"), filepath.Join(dir, "source")
	if err := errors.Join(err, git("archive", "--format=tar", "--output="+file, ref)); err != nil {
		return "", fmt.Errorf("cannot read %s of %q: %w", branch, a.Name, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	limits, err := unpack.LimitsOf(c.Settings())
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(tree, 0o755); err != nil {
		return "", err
	}
	return tree, unpack.Into(tree, f, limits)
}
