package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// What comes from elsewhere than a push is deployed like one: its commit lies in quarantine until the release is in
// service, and then the branch moves to it. A source that is a tree, of an archive say, becomes a commit first. The
// verbs are those of today's dokku.

// author is who made a source; the committer is always dokku.
type author struct{ name, email string }

// The author that today's dokku writes when nobody names one.
const (
	committer      = "Dokku"
	committerEmail = "automated@dokku.sh"
)

// authorOf reads [NAME [EMAIL]], the words behind the others.
func authorOf(c *plug.C, words []string) (author, error) {
	who := author{committer, committerEmail}
	if len(words) > 2 {
		return who, c.Usage("cannot use %q: too many words", words[2])
	}
	for i, field := range []*string{&who.name, &who.email} {
		if i >= len(words) || words[i] == "" {
			continue
		}
		word := words[i]
		if len(word) > 200 || !utf8.ValidString(word) || strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) || r == '<' || r == '>' }) {
			return who, fmt.Errorf("cannot use %q as author: give a name and an address in one line, without < and >", word)
		}
		*field = word
	}
	return who, nil
}

// store is a repository of nobody's, whose new objects go to the app's quarantine, and which sees those that the app has.
// Nothing of the host's and the app's settings of hooks applies in it.
type store struct {
	gitDir, objects string
	env             []string
	release         func() error
}

// openStore makes one in scratch, which is removed by whoever made it. It has a directory of its own there, whose name no
// source can know: git runs what the settings in it say, so nothing may be in it that somebody sent.
func openStore(c *plug.C, a app.App, scratch string) (*store, error) {
	objects, release, err := deploy.Quarantine(a)
	if err != nil {
		return nil, err
	}
	s := &store{objects: objects, release: release}
	s.gitDir, err = os.MkdirTemp(scratch, "store-")
	for _, dir := range []string{"objects", "refs", "info"} {
		if err == nil {
			err = os.Mkdir(filepath.Join(s.gitDir, dir), 0o755)
		}
	}
	for name, text := range map[string]string{
		"HEAD":   "ref: refs/heads/" + defaultBranch + "\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\thooksPath = /dev/null\n\tautocrlf = false\n\tfsync = all\n[gc]\n\tauto = 0\n",
		// A source has no say in which programs of this host run.
		"info/attributes": "* -filter\n",
	} {
		if err == nil {
			err = writeNew(filepath.Join(s.gitDir, name), text)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot prepare the commit for %q: %w", a.Name, err), release())
	}
	s.env = append(env(c), "GIT_DIR="+s.gitDir, "GIT_COMMON_DIR="+s.gitDir, "GIT_OBJECT_DIRECTORY="+objects, "GIT_ALTERNATE_OBJECT_DIRECTORIES="+a.Path("objects"),
		"GIT_TERMINAL_PROMPT=0", "GIT_COMMITTER_NAME="+committer, "GIT_COMMITTER_EMAIL="+committerEmail)
	return s, nil
}

// writeNew writes a file that is not there yet.
func writeNew(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// git runs git in the store and returns what it prints.
func (s *store) git(ctx context.Context, dir, stdin string, args ...string) (string, error) {
	out, err := proc.Output(ctx, proc.Cmd{Args: append([]string{"git"}, args...), Env: s.env, Dir: dir, Stdin: strings.NewReader(stdin)})
	return strings.TrimSpace(out), err
}

// commit makes a commit of the tree in dir upon parent, "" for none, and returns its name and the tree's.
func (s *store) commit(ctx context.Context, dir, parent string, who author, message string) (rev, tree string, err error) {
	if err := stripGit(dir); err != nil { // what is a repository to git is not added as files
		return "", "", err
	}
	in := *s
	in.env = append(s.env, "GIT_WORK_TREE="+dir, "GIT_AUTHOR_NAME="+who.name, "GIT_AUTHOR_EMAIL="+who.email)
	// All files become one pack, in one go; none is left out for a .gitignore, since somebody chose to send it.
	_, err = in.git(ctx, dir, "", "-c", "core.bigFileThreshold=1", "-c", "core.compression=1", "add", "--all", "--force", ".")
	if err == nil {
		tree, err = in.git(ctx, dir, "", "write-tree")
	}
	if err != nil {
		return "", "", err
	}
	if _, err := in.git(ctx, dir, "", "rev-parse", "--verify", "--quiet", tree+":"); err != nil {
		return "", "", err
	}
	if names, err := in.git(ctx, dir, "", "ls-tree", "--name-only", tree); err != nil || names == "" {
		return "", "", errors.Join(err, errors.New("there is no file in it"))
	}
	args := []string{"commit-tree", tree}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	rev, err = in.git(ctx, dir, message, args...)
	return rev, tree, err
}

// treeOf returns the tree of a commit, "" when the commit is not there any more.
func (s *store) treeOf(ctx context.Context, rev string) string {
	tree, err := s.git(ctx, s.gitDir, "", "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{tree}")
	if err != nil {
		return ""
	}
	return tree
}

// origin says where a source came from.
type origin struct {
	cause  string // in the release's record: archive, image, sync
	kind   string // what deploy-source-set tells, in the words of today's dokku: tar, docker-image, git-sync, ...
	source string // what it tells beside it
	what   string // in sentences
}

// deployTree makes a commit of dir on the branch that deploys, and deploys it. What serves already is not built again.
// scratch is a directory outside of dir. The caller holds the app's lock.
func deployTree(ctx context.Context, c *plug.C, a app.App, scratch, dir string, who author, from origin) (err error) {
	branch := deployBranch(c, a)
	parent, err := readRef(a, "refs/heads/"+branch)
	if err != nil {
		return err
	}
	s, err := openStore(c, a, scratch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.release()) }()
	began := time.Now()
	rev, tree, err := s.commit(ctx, dir, parent, who, "Deploy "+from.what+"\n")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("cannot make a commit of %s for %q: %w", from.what, a.Name, err)
	}
	current, err := release.Current(a)
	if err != nil {
		return err
	}
	if current != nil && current.Revision != "" && s.treeOf(ctx, current.Revision) == tree {
		nothingToDo(c, a, current)
		return nil
	}
	if parent != "" && s.treeOf(ctx, parent) == tree {
		rev = parent // it was tried before, or fetched and not built
	}
	c.Verbose("Commit %.7s on branch %s, made in %.1f s", rev, branch, time.Since(began).Seconds())
	return s.deploy(ctx, c, a, rev, branch, from)
}

func nothingToDo(c *plug.C, a app.App, current *release.Release) {
	c.Info1("Nothing to do: release %s of %s is of this source, commit %.7s", current.Name(), a.Name, current.Revision)
	c.Verbose("To build it all the same use: dokku ps:rebuild %s", a.Name)
}

// deploy deploys a commit of the store on the branch. The branch moves when the release is in service.
func (s *store) deploy(ctx context.Context, c *plug.C, a app.App, rev, branch string, from origin) error {
	in := c
	for key, value := range map[string]string{
		deploy.BranchEnv: branch, deploy.CauseEnv: from.cause,
		"GIT_OBJECT_DIRECTORY": s.objects, "GIT_QUARANTINE_PATH": s.objects, "GIT_ALTERNATE_OBJECT_DIRECTORIES": a.Path("objects"),
	} {
		in = in.With(key, value)
	}
	if err := in.Trigger(ctx, "receive-app", a.Name, rev); err != nil {
		return err
	}
	tellSource(ctx, c, a, from.kind, from.source)
	return nil
}

// tellSource tells plugins what was deployed.
func tellSource(ctx context.Context, c *plug.C, a app.App, kind, source string) {
	if err := c.Trigger(context.WithoutCancel(ctx), "deploy-source-set", a.Name, kind, source); err != nil {
		c.Warn("%s is live, but plugins were not all told of its source: %v", a.Name, err)
	}
}

// sourceSet is deploy-source-set, APP TYPE SOURCE: it keeps which image an app was made of, as long as it is, and forgets
// what was fetched before.
func sourceSet(_ context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	if err := forgetSynced(c, a); err != nil {
		return err
	}
	image := ""
	if c.Arg(1) == imageKind {
		image = c.Arg(2)
	}
	if property.Get(c.Settings(), "git", a.Name, sourceImage) == image {
		return nil
	}
	return property.Set(c.Settings(), "git", a.Name, sourceImage, image)
}

// deployBranch is the branch that deploys, the default when none was set.
func deployBranch(c *plug.C, a app.App) string {
	if branch := configuredBranch(c, a); branch != "" {
		return branch
	}
	return defaultBranch
}

// fetchTimeout is how long it may take to get a source from elsewhere.
func fetchTimeout(c *plug.C) (time.Duration, error) {
	seconds, err := c.Settings().Int(settings.FetchTimeout, 600)
	return time.Duration(seconds) * time.Second, err
}

// word takes the value of an option --NAME VALUE or --NAME=VALUE out of words, wherever it stands before a word "--".
func word(words []string, name string) (value string, rest []string, given bool, err error) {
	for i := 0; i < len(words); i++ {
		joined, isJoined := strings.CutPrefix(words[i], name+"=")
		switch {
		case words[i] == "--":
			return value, append(rest, words[i:]...), given, nil
		case isJoined:
			value, given = joined, true
		case words[i] == name && i+1 == len(words):
			return "", nil, false, fmt.Errorf("cannot use %s: it needs a value", name)
		case words[i] == name:
			i++
			value, given = words[i], true
		default:
			rest = append(rest, words[i])
		}
	}
	return value, rest, given, nil
}

// flagged takes an option without a value out of words.
func flagged(words []string, name string) (rest []string, given bool) {
	for _, w := range words {
		if w == name {
			given = true
		} else {
			rest = append(rest, w)
		}
	}
	return rest, given
}

// noOptions refuses what is left of options.
func noOptions(c *plug.C, words []string) error {
	for _, w := range words {
		if strings.HasPrefix(w, "-") && w != "--" {
			return c.Usage("cannot use option %q: it is unknown", w)
		}
	}
	return nil
}

// imageKind is the type of sources that are images, and sourceImage the property that names one.
const (
	imageKind   = "docker-image"
	sourceImage = "source-image"
)
