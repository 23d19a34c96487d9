// Package git is the plugin behind `git push`: it serves the repositories, decides what a push means, and hands the
// pushed tree to the build (toolchain-2014, section 8).
package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/record"
	"github.com/dokku-go/dokku/plugins-core/internal/workdir"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// defaultBranch deploys when nothing else is set and nothing was pushed before.
const defaultBranch = "master"

// Plugin returns the plugin.
func Plugin() *plug.Plugin {
	return &plug.Plugin{
		Name:        "git",
		Description: "receives pushes",
		Hooks: map[string]plug.Hook{
			"post-create":           func(ctx context.Context, c *plug.C) error { return withApp(ctx, c, postCreate) },
			"post-delete":           plug.DestroyProperties("git"),
			"post-app-clone-setup":  plug.CloneProperties("git", loadedImage, taking),
			"post-app-rename-setup": renamed,
			"receive-app":           receiveApp,
			"core-pre-commit":       keepObjects,
			"core-prune":            pack,
			"git-settle":            settle,
			"git-deploy-branch":     deployBranchHook,
			"git-revision":          revision,
			"deploy-source-set":     sourceSet,
			"doctor-check":          plug.Diagnose([]string{"git"}, diagnose),
		},
		Commands: []plug.Command{
			{Name: "git-receive-pack", Args: "APP", AppName: appName, Run: receivePack},
			{Name: "git-upload-pack", Args: "APP", AppName: appName, Run: upload},
			{Name: "git-upload-archive", Args: "APP", AppName: appName, Run: upload},
			{Name: "git-hook", Args: "APP", Internal: true, Run: hook},
			{Name: "git-build", Args: "APP REV", Run: build},
			{Name: "git:from-archive", Args: "[--archive-type tar|tar.gz|zip] APP URL|-- [NAME [EMAIL]]", Help: "Deploy the source in an archive", Run: fromArchive},
			{Name: "git:from-image", Args: "[--build-dir DIR] [--force] APP IMAGE [NAME [EMAIL]]", Help: "Deploy an image of a registry or of the engine", Run: fromImage},
			{Name: "git:load-image", Args: "[--build-dir DIR] APP IMAGE [NAME [EMAIL]]", Help: "Deploy an image that docker save writes to standard input", Run: loadImage},
			{Name: "git:sync", Args: "[--build|--build-if-changes] [--skip-deploy-branch] APP REPOSITORY [REF]", Help: "Fetch a repository, and build it", Run: sync},
			{Name: "git:report", Args: reporter().Args(), Help: "Show which branch deploys, and what is on it", Run: reporter().Run},
			{Name: "git:set", Args: "APP deploy-branch [BRANCH]", Help: "Set the branch that deploys", Run: set},
			{Name: "git:initialize", Args: "APP", Help: "Make the app's repository", Run: func(ctx context.Context, c *plug.C) error { return withApp(ctx, c, initialise) }},
		},
	}
}

func withApp(ctx context.Context, c *plug.C, f func(context.Context, *plug.C, app.App) error) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	return f(ctx, c, a)
}

// env is the environment of a git program: ours without git's own variables, which belong to another repository.
func env(c *plug.C) []string {
	out := make([]string, 0, len(c.Env))
	for _, kv := range c.Env {
		if !strings.HasPrefix(kv, "GIT_") || strings.HasPrefix(kv, "GIT_PROTOCOL=") {
			out = append(out, kv)
		}
	}
	return out
}

// preReceive is the hook in every repository; old tools look for its call of git-hook.
func preReceive(c *plug.C, a app.App) string {
	return fmt.Sprintf("#!/bin/sh\nDOKKU_ROOT=%s\nexport DOKKU_ROOT\nexec dokku git-hook %s\n", quote(c.Settings().Root()), a.Name)
}

// postReceive is the hook that ends a push. git has its files on the disk by then, but not their names, so that a loss of
// power could take back a push of which the pusher had heard that it is done.
const postReceive = `#!/bin/sh
# What was pushed lasts: the directories that have it are written to the disk.
set -- objects/pack refs/heads
while read -r _ _ ref; do
  if [ -d "${ref%/*}" ]; then
    set -- "$@" "${ref%/*}"
  fi
done
exec sync "$@"
`

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// postCreate makes the repository. A property that the end of an earlier app of that name has left is not this one's.
func postCreate(ctx context.Context, c *plug.C, a app.App) error {
	if err := property.Destroy(c.Settings(), "git", a.Name); err != nil {
		return err
	}
	return initialise(ctx, c, a)
}

// renamed has the app's properties, and the hook that names it, follow to its new name: OLD NEW.
func renamed(ctx context.Context, c *plug.C) error {
	a, err := c.App(1)
	if err != nil {
		return err
	}
	if err := property.Move(c.Settings(), "git", c.Arg(0), a.Name); err != nil {
		return err
	}
	return initialise(ctx, c, a)
}

// initialise makes what is missing of the repository; the directory may be there before (section 6), and a part of the
// repository too, if somebody was stopped. Not by `git init`, whose files may be empty after a loss of power.
func initialise(_ context.Context, c *plug.C, a app.App) error {
	// One by one, and nothing above them: the app may be destroyed meanwhile, and half of one must not come back.
	for _, dir := range []string{"objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags", "hooks"} {
		if _, err := os.Stat(a.Path(dir)); err == nil {
			continue
		}
		if err := record.Mkdir(a.Path(dir), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for file, text := range map[string]string{
		"HEAD":   "ref: refs/heads/" + defaultBranch + "\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n",
	} {
		if st, err := os.Lstat(a.Path(file)); err == nil && (st.Size() > 0 || !st.Mode().IsRegular()) {
			continue
		}
		if err := record.Write(a.Path(file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	// An admin may have a post-receive hook of his own, and knows then what he does.
	if _, err := os.Lstat(a.Path("hooks/post-receive")); errors.Is(err, os.ErrNotExist) {
		if err := record.Write(a.Path("hooks/post-receive"), []byte(postReceive), 0o755); err != nil {
			return err
		}
	}
	_, err := plug.WriteFile(a.Path("hooks/pre-receive"), preReceive(c, a), 0o755)
	return err
}

// appName reads the repository's name as git clients send it: 'app', /app and app.git mean app.
func appName(s settings.Settings, word string) string {
	name := strings.Trim(word, "'")
	name = strings.TrimPrefix(name, s.Root()+"/")
	name = strings.TrimSuffix(strings.TrimPrefix(name, "/"), "/")
	name = strings.TrimPrefix(name, "~/")
	return strings.TrimSuffix(name, ".git")
}

// served is the name of the app whose repository the client asked for.
func served(c *plug.C) (string, error) {
	if len(c.Args) != 1 {
		return "", c.Usage("cannot serve a repository: name one app")
	}
	return appName(c.Settings(), c.Args[0]), nil
}

// receivePack serves a push; the app is made by the push itself.
func receivePack(ctx context.Context, c *plug.C) error {
	name, err := served(c)
	if err != nil {
		return err
	}
	a := app.App{Name: name, Root: c.Settings().Root()}
	// stdout belongs to git's protocol: what plugins say here goes to the user by stderr.
	if err := c.WithOutput(c.Stderr, c.Stderr).Trigger(ctx, "app-maybe-create", name); err != nil {
		return err
	}
	if a, err = c.Find(a.Name); err != nil {
		return err
	}
	if err := initialise(ctx, c, a); err != nil {
		return err
	}
	if err := enterQuarantine(a); err != nil {
		return err
	}
	fd, err := a.OpenLockFile()
	if err != nil {
		return err
	}
	git, err := proc.LookPath(c.Env, "git")
	if err != nil {
		return err
	}
	environ := settings.Set(env(c), app.LockFDEnv, strconv.Itoa(fd))
	if out, ok := c.Stdout.(*os.File); ok {
		client, err := unix.Dup(int(out.Fd())) // without O_CLOEXEC: that is the purpose
		if err != nil {
			return fmt.Errorf("cannot serve %q: %w", a.Name, err)
		}
		environ = settings.Set(environ, clientFDEnv, strconv.Itoa(client))
	}
	// A push of few objects is a pack too: one file for the disk, in one directory.
	argv := []string{"git", "-c", "gc.autoDetach=false", "-c", "core.fsync=all", "-c", "receive.unpackLimit=1",
		"-c", "receive.advertisePushOptions=true", "receive-pack", a.Dir()}
	// From here on git is this process: it keeps the lock file open until the ref has moved.
	return fmt.Errorf("cannot run git: %w", syscall.Exec(git, argv, environ))
}

// clientFDEnv is the number of a descriptor of the connection to the pusher. The hook, whose own output goes to git,
// sees by it that the pusher has gone.
const clientFDEnv = "DOKKU_CLIENT_FD"

// upload serves clone, fetch, pull and git archive.
func upload(ctx context.Context, c *plug.C) error {
	name, err := served(c)
	if err != nil {
		return err
	}
	a, err := c.Find(name)
	if err != nil {
		return err
	}
	quiet := c.WithOutput(c.Stderr, c.Stderr)
	if err := quiet.Trigger(ctx, "git-pre-pull", a.Name); err != nil {
		return err
	}
	verb := "upload-pack"
	if c.Verb() == "git-upload-archive" {
		verb = "upload-archive"
	}
	err = proc.Run(ctx, proc.Cmd{Args: []string{"git", verb, a.Dir()}, Env: env(c), Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr})
	if err != nil {
		return fmt.Errorf("cannot serve %q: %w", a.Name, err)
	}
	return quiet.Trigger(ctx, "git-post-pull", a.Name)
}

// configuredBranch returns the branch that deploys, "" when none was set and nothing was deployed yet.
func configuredBranch(c *plug.C, a app.App) string {
	return property.Get(c.Settings(), "git", a.Name, "deploy-branch")
}

func deployBranchHook(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	branch := configuredBranch(c, a)
	if branch == "" {
		branch = defaultBranch
	}
	fmt.Fprintln(c.Stdout, branch)
	return nil
}

// setBranch makes branch the one that deploys and that a clone checks out.
func setBranch(c *plug.C, a app.App, branch string) error {
	before, err := os.ReadFile(a.Path("HEAD"))
	if err != nil {
		return fmt.Errorf("cannot set the branch of %q: %w", a.Name, err)
	}
	// Not by `git symbolic-ref`: git refuses that while a push is in quarantine.
	err = record.WriteLine(a.Path("HEAD"), "ref: refs/heads/"+branch)
	if err == nil {
		err = property.Set(c.Settings(), "git", a.Name, "deploy-branch", branch)
	}
	if err == nil || configuredBranch(c, a) == branch {
		return err
	}
	// Both or none: what deploys and what a clone checks out are the same branch.
	if now, readErr := os.ReadFile(a.Path("HEAD")); readErr != nil || string(now) != string(before) {
		err = errors.Join(err, record.Write(a.Path("HEAD"), before, 0o644))
	}
	return err
}

func set(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if c.Arg(1) != "deploy-branch" || len(c.Args) > 3 {
		return c.Usage("cannot set %q: the properties are deploy-branch", c.Arg(1))
	}
	branch := c.Arg(2)
	if branch == "" {
		return property.Set(c.Settings(), "git", a.Name, "deploy-branch", "")
	}
	if _, err := proc.Output(ctx, proc.Cmd{Args: []string{"git", "check-ref-format", "--branch", branch}, Env: env(c), Dir: "/"}); err != nil {
		return fmt.Errorf("cannot use %q as a branch: git takes no such name", branch)
	}
	return setBranch(c, a, branch)
}

func revision(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	rev, err := proc.Output(ctx, proc.Cmd{Args: []string{"git", "rev-parse", "--verify", "--quiet", "HEAD"}, Env: append(env(c), "GIT_DIR="+a.Dir())})
	fmt.Fprint(c.Stdout, rev)
	return err
}

// build deploys a revision that the repository has.
func build(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if len(c.Args) != 2 {
		return c.Usage("cannot build %q: give the revision", a.Name)
	}
	rev, err := proc.Output(ctx, proc.Cmd{Args: []string{"git", "rev-parse", "--verify", "--quiet", "--end-of-options", c.Args[1] + "^{commit}"}, Env: env(c), Dir: a.Dir()})
	if err != nil {
		return fmt.Errorf("cannot build %s of %q: there is no such revision", c.Args[1], a.Name)
	}
	return c.Lock(ctx, a, func(c *plug.C) error { return c.Trigger(ctx, "receive-app", a.Name, strings.TrimSpace(rev)) })
}

// receiveApp exports the revision and deploys it.
func receiveApp(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	rev := c.Arg(1)
	if rev == "" {
		return nil // the source is not in the repository
	}
	tmp, err := workdir.Make(a.Name)
	if err != nil {
		return err
	}
	dir := filepath.Join(tmp.Path, "src")
	err = export(ctx, c, a, rev, dir)
	if err == nil {
		err = deploy.FromDirectory(ctx, c, a, dir, rev)
	}
	if rmErr := tmp.Remove(); rmErr != nil {
		// What was deployed is deployed, whatever a plugin left in the tree.
		c.Warn("cannot remove the work directory: %v", rmErr)
	}
	return err
}
