package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/failpoint"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// syncCall is a call of git:sync: [--build|--build-if-changes] [--skip-deploy-branch] APP REPO [REF].
type syncCall struct {
	app                     app.App
	from                    remote
	ref                     string
	build, changed, skipSet bool
	settings                []string // variables that keep git to where it may ask
}

func syncWords(ctx context.Context, c *plug.C) (*syncCall, error) {
	call := &syncCall{}
	words, build := flagged(c.Args, "--build")
	words, call.changed = flagged(words, "--build-if-changes")
	words, call.skipSet = flagged(words, "--skip-deploy-branch")
	call.build = build || call.changed
	if build && call.changed {
		return nil, c.Usage("cannot use --build together with --build-if-changes")
	}
	if err := noOptions(c, words); err != nil {
		return nil, err
	}
	a, words, err := appAndSource(c, words, "the address of a repository")
	if err != nil {
		return nil, err
	}
	call.app = a
	if len(words) > 2 {
		return nil, c.Usage("cannot use %q: too many words", words[2])
	}
	if call.from, err = parseRemote(words[0]); err != nil {
		return nil, fmt.Errorf("cannot fetch from %q: %w", words[0], err)
	}
	if len(words) == 2 {
		call.ref = strings.TrimPrefix(strings.TrimPrefix(words[1], "refs/heads/"), "refs/tags/")
		if _, err := proc.Output(ctx, proc.Cmd{Args: []string{"git", "check-ref-format", "refs/heads/" + call.ref}, Env: env(c), Dir: "/"}); err != nil || strings.HasPrefix(call.ref, "-") {
			return nil, fmt.Errorf("cannot fetch %q: it is no name of a branch, a tag or a commit", words[1])
		}
	}
	call.settings, err = call.permit(ctx, c)
	return call, err
}

// sync fetches a commit of a repository elsewhere and puts it on the branch that deploys; with --build it is deployed.
// All that comes is in quarantine until then.
func sync(ctx context.Context, c *plug.C) (err error) {
	call, err := syncWords(ctx, c)
	if err != nil {
		return err
	}
	ctx, stop := untilHangup(ctx, c)
	defer stop()
	return withWorkdir(call.app, func(tmp string) (err error) {
		s, err := openStore(c, call.app, tmp)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.release()) }()
		f, err := s.fetch(ctx, c, call)
		if err != nil {
			return err
		}
		return c.Lock(ctx, call.app, func(c *plug.C) error { return call.take(ctx, c, s, f) })
	})
}

// fetched is what came: a commit, and the branch or tag that it was asked for by.
type fetched struct {
	rev    string
	branch string // "": a tag or a commit
}

// fetch gets the commit and what it is made of into the store.
func (s *store) fetch(ctx context.Context, c *plug.C, call *syncCall) (f fetched, err error) {
	timeout, err := fetchTimeout(c)
	if err != nil {
		return f, err
	}
	outer := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it took more than %s; the limit is %s", timeout, settings.FetchTimeout))
	defer cancel()
	fail := func(err error) error {
		if outer.Err() != nil {
			return context.Cause(outer)
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("cannot fetch %q from %s: %s", call.app.Name, call.from.shown, call.from.hide(fatal(err)))
	}
	c.Info1("Fetching %s", call.from.shown)
	in := *s
	protocols := "http:https:ssh:git"
	if call.from.local {
		protocols += ":file"
	}
	// Nobody is there to be asked for a password or whether a host is the right one.
	in.env = append(s.env, "GIT_ALLOW_PROTOCOL="+protocols, "GIT_ASKPASS=/bin/false", "SSH_ASKPASS=/bin/false", "SSH_ASKPASS_REQUIRE=force")
	in.env = append(in.env, call.settings...)
	found, head, err := in.listRemote(ctx, call)
	if err != nil {
		return f, fail(err)
	}
	refspecs, f, err := choose(call, configuredBranch(c, call.app), found, head)
	if err != nil {
		return f, fail(err)
	}
	args := []string{"-c", "fetch.fsckObjects=true", "-c", "fetch.unpackLimit=1", "-c", "http.lowSpeedLimit=100", "-c", "http.lowSpeedTime=60",
		"fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance", "--", call.from.address}
	if _, err := in.git(ctx, s.gitDir, "", append(args, refspecs...)...); err != nil {
		return f, fail(err)
	}
	name := "refs/fetched/it"
	if len(refspecs) > 1 {
		name = call.ref // all has come, for a commit that may be anywhere
	}
	f.rev, err = in.git(ctx, s.gitDir, "", "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		return f, fail(fmt.Errorf("it has no branch, tag or commit %q", call.ref))
	}
	return f, nil
}

// listRemote asks for the branch and the tag of the name that is wanted, and for the branch that the repository names
// itself.
func (s *store) listRemote(ctx context.Context, call *syncCall) (found map[string]bool, head string, err error) {
	args := []string{"ls-remote", "--quiet", "--symref", "--", call.from.address, "HEAD"}
	if call.ref == "" {
		args = append(args, "refs/heads/*")
	} else {
		args = append(args, "refs/heads/"+call.ref, "refs/tags/"+call.ref)
	}
	text, err := s.git(ctx, s.gitDir, "", args...)
	found = map[string]bool{}
	for line := range strings.Lines(text) {
		left, right, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if branch, ok := strings.CutPrefix(left, "ref: refs/heads/"); ok && right == "HEAD" {
			head = branch
		}
		found[right] = true
	}
	return found, head, err
}

// choose says what to fetch.
func choose(call *syncCall, configured string, found map[string]bool, head string) (refspecs []string, f fetched, err error) {
	one := func(ref string) []string { return []string{"+" + ref + ":refs/fetched/it"} }
	ref := call.ref
	if ref == "" {
		if ref = configured; ref == "" {
			ref = head
		}
		if ref == "" || !found["refs/heads/"+ref] {
			return nil, f, fmt.Errorf("it has no branch %q; name the branch, tag or commit to fetch", ref)
		}
	}
	switch {
	case found["refs/heads/"+ref]:
		f.branch = ref
		return one("refs/heads/" + ref), f, nil
	case found["refs/tags/"+ref]:
		return one("refs/tags/" + ref), f, nil
	case len(ref) >= 7 && len(ref) <= 64 && strings.Trim(ref, "0123456789abcdef") == "":
		return []string{"+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/fetched/tags/*"}, f, nil
	}
	return nil, f, fmt.Errorf("it has no branch or tag %q", ref)
}

// fatal is what git says of an error, in one line and without its marks.
func fatal(err error) string {
	var said []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), ": exit status 128"))
		for _, mark := range []string{"fatal: ", "error: ", "remote: "} {
			line = strings.TrimPrefix(line, mark)
		}
		if line != "" && !slices.Contains(said, line) {
			said = append(said, line)
		}
	}
	return fmt.Sprintf("%.500s", strings.Join(said, "; "))
}

// take puts the commit on the branch that deploys. The caller holds the app's lock.
func (call *syncCall) take(ctx context.Context, c *plug.C, s *store, f fetched) (err error) {
	a := call.app
	current, err := release.Current(a)
	if err != nil {
		return err
	}
	branch := deployBranch(c, a)
	old, err := readRef(a, "refs/heads/"+branch)
	if err != nil {
		return err
	}
	// What is fetched first says which branch deploys, as a first push does.
	if f.branch != "" && f.branch != branch && old == "" && !call.skipSet {
		branch = f.branch
		c.Info1("Set %s as deploy-branch", branch)
	}
	c.Verbose("Commit %.7s on branch %s", f.rev, branch)
	if !call.build {
		return call.store(ctx, c, s, f.rev, branch, current)
	}
	if call.changed && current != nil && current.Revision == f.rev {
		nothingToDo(c, a, current)
		return nil
	}
	if before := configuredBranch(c, a); before != "" && before != branch {
		if err := property.Set(c.Settings(), "git", a.Name, taking, takes(f.rev, branch, before)); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, property.Set(c.Settings(), "git", a.Name, taking, ""))
			}
		}()
	}
	source := call.from.shown + "#" + call.ref
	return s.deploy(ctx, c, a, f.rev, branch, origin{cause: "sync", kind: "git-sync", source: source, what: call.from.shown})
}

// taking is the property that says which branch is to be the one that deploys when which commit serves, and in place of
// which. Until then, whatever ends the deploy, all is as it was.
const taking = "taking-branch"

func takes(rev, branch, before string) string { return rev + " " + branch + " " + before }

// synced is the property that says which commit was fetched and not built, and over which one that serves.
const synced = "synced"

// store keeps the commit, and moves the branch to it: ps:rebuild builds it.
func (call *syncCall) store(ctx context.Context, c *plug.C, s *store, rev, branch string, current *release.Release) error {
	a, serving := call.app, ""
	if current != nil {
		serving = current.Revision
	}
	err := linkObjects(s.objects, a.Path("objects"))
	if err == nil {
		err = property.Set(c.Settings(), "git", a.Name, synced, rev+" "+serving)
	}
	failpoint.Hit(failpoint.SyncStored)
	if err == nil && configuredBranch(c, a) != branch {
		err = setBranch(c, a, branch)
	}
	if err == nil {
		_, err = proc.Output(ctx, proc.Cmd{Args: []string{"git", "update-ref", "-m", "dokku: git:sync", "refs/heads/" + branch, rev}, Env: append(env(c), "GIT_DIR="+a.Dir())})
	}
	if err != nil {
		return fmt.Errorf("cannot keep what was fetched for %q: %w", a.Name, err)
	}
	if rev != serving {
		c.Verbose("It is not built: dokku ps:rebuild %s", a.Name)
	}
	return nil
}

// isSynced tells whether the branch is at a commit that was fetched while this one serves, and is yet to be built.
func isSynced(c *plug.C, a app.App, branch, serving string) bool {
	return branch != "" && property.Get(c.Settings(), "git", a.Name, synced) == branch+" "+serving
}

// forgetSynced is for when it is built, or something else is.
func forgetSynced(c *plug.C, a app.App) error {
	if property.Get(c.Settings(), "git", a.Name, synced) == "" {
		return nil
	}
	return property.Set(c.Settings(), "git", a.Name, synced, "")
}
