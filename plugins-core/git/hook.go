package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/internal/queue"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// update is one line that git gives to the pre-receive hook.
type update struct{ old, new, ref string }

func (u update) deletes() bool { return strings.Trim(u.new, "0") == "" }

func (u update) branch() (string, bool) { return strings.CutPrefix(u.ref, "refs/heads/") }

func readUpdates(r io.Reader) ([]update, error) {
	var out []update
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.SplitN(lines.Text(), " ", 3)
		if len(f) != 3 || !isObject(f[0]) || !isObject(f[1]) || f[2] == "" {
			return nil, fmt.Errorf("cannot read %q: want the old and the new object and the ref", lines.Text())
		}
		out = append(out, update{old: f[0], new: f[1], ref: f[2]})
	}
	return out, lines.Err()
}

// isObject tells whether s is the name of an object as git gives it to hooks: in full, which nothing that git's programs
// take for an option or another revision is.
func isObject(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// hook is the pre-receive hook: it decides what the push means, and a deploy that fails rejects the push.
func hook(ctx context.Context, c *plug.C) error {
	a, err := c.App(0)
	if err != nil {
		return err
	}
	keepQuarantine(a)
	updates, err := readUpdates(c.Stdin)
	if err != nil {
		return err
	}
	branch := chooseBranch(configuredBranch(c, a), updates)
	var push *update
	for i, u := range updates {
		name, isBranch := u.branch()
		switch {
		case isBranch && name == branch && u.deletes():
			return fmt.Errorf("cannot delete %s: it is the branch that %s is deployed from; to remove the app use: dokku apps:destroy %s", name, a.Name, a.Name)
		case isBranch && name == branch:
			push = &updates[i]
		case !u.deletes():
			if err := otherRef(ctx, c, a, u, branch); err != nil {
				return err
			}
		}
	}
	if push == nil {
		return nil
	}
	if err := checkCommit(ctx, c, a, *push); err != nil {
		return err
	}
	ctx, stop := untilHangup(ctx, c)
	defer stop()
	w := queue.Wish{Entry: queue.Entry{Verb: "push", Branch: branch, Rev: push.new}}
	if w.NoWait = pushOption(c, "no-wait") || c.Settings().On(settings.NoWait); w.NoWait {
		c = c.With(settings.NoWait, "1")
	}
	if pushOption(c, "force") {
		c = c.With(settings.ForceBuild, "1")
	}
	return c.LockAs(ctx, a, w, func(c *plug.C) error { return receive(ctx, c, a, *push, branch) })
}

// chooseBranch returns the branch that deploys: the configured one; before anything was deployed, master if it is
// pushed, else main, else the first branch that is pushed.
func chooseBranch(configured string, updates []update) string {
	if configured != "" {
		return configured
	}
	var pushed []string
	for _, u := range updates {
		if name, ok := u.branch(); ok && !u.deletes() {
			pushed = append(pushed, name)
		}
	}
	for _, name := range []string{defaultBranch, "main"} {
		if slices.Contains(pushed, name) {
			return name
		}
	}
	if len(pushed) > 0 {
		return pushed[0]
	}
	return defaultBranch
}

// otherRef says that a ref is stored and not deployed; plugins may do something with it.
func otherRef(ctx context.Context, c *plug.C, a app.App, u update, branch string) error {
	name, isBranch := u.branch()
	if !isBranch {
		name = u.ref
	}
	c.Info1("WARNING: deploy did not complete, you must push to %s.", branch)
	if tag, ok := strings.CutPrefix(u.ref, "refs/tags/"); ok {
		name = tag + "^{}"
	}
	c.Info1("for example, try 'git push <dokku> %s:%s'", name, branch)
	if !isBranch {
		return nil
	}
	return c.Trigger(ctx, "receive-branch", a.Name, u.new, u.ref)
}

// checkCommit refuses, before anything is built, what git would refuse to put on a branch after the deploy.
func checkCommit(ctx context.Context, c *plug.C, a app.App, u update) error {
	kind, err := proc.Output(ctx, proc.Cmd{Args: []string{"git", "cat-file", "-t", u.new}, Env: c.Env, Dir: a.Dir()})
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", u.new, err)
	}
	if kind = strings.TrimSpace(kind); kind != "commit" {
		branch, _ := u.branch()
		return fmt.Errorf("cannot deploy %s: it is a %s, not a commit; try 'git push <dokku> NAME^{}:%s'", u.new, kind, branch)
	}
	return nil
}

// receive deploys the push. The app is locked, and the lock lives until git has moved the ref.
func receive(ctx context.Context, c *plug.C, a app.App, u update, branch string) error {
	// While we waited the app may have been destroyed, and even made anew: git writes into the old directory.
	if dir := c.Getenv("GIT_DIR"); dir != "" && !sameDir(dir, a.Dir()) {
		return &app.DestroyedError{App: a.Name}
	}
	// While we waited for the lock another push may have moved the branch: git would refuse ours in the end.
	now, err := readRef(a, u.ref)
	if err != nil {
		return err
	}
	if now == "" {
		now = strings.Repeat("0", len(u.old))
	}
	if now != u.old {
		return fmt.Errorf("cannot deploy %s: another push moved %s meanwhile; fetch it, merge, and push again", u.new[:7], branch)
	}
	chosen := configuredBranch(c, a)
	if chosen != "" && chosen != branch {
		return fmt.Errorf("cannot deploy %s: another push made %s the branch that deploys", branch, chosen)
	}
	first := chosen == ""
	if pushOption(c, "watch") {
		c = c.With(settings.WatchAttached, "1")
	}
	if err := c.With(deploy.BranchEnv, branch).Trigger(ctx, "receive-app", a.Name, u.new); err != nil {
		return err
	}
	tellSource(ctx, c, a, "git-push", u.new)
	if !first {
		return nil
	}
	if branch != defaultBranch {
		c.Info1("Set %s as deploy-branch", branch)
	}
	if err := setBranch(c, a, branch); err != nil {
		c.Warn("%s is live, but which branch deploys could not be kept: %v", a.Name, err)
	}
	return nil
}

func sameDir(one, other string) bool {
	a, err := os.Stat(one)
	if err != nil {
		return false
	}
	b, err := os.Stat(other)
	return err == nil && os.SameFile(a, b)
}

// untilHangup returns a context that ends when nobody is at the other end any more: the pusher pressed Ctrl-C or lost
// the connection, and what is not live by then shall not go on.
func untilHangup(ctx context.Context, c *plug.C) (context.Context, func()) {
	var fds []unix.PollFd
	if out, ok := c.Stdout.(*os.File); ok {
		fds = append(fds, unix.PollFd{Fd: int32(out.Fd())})
	}
	if fd, err := strconv.Atoi(c.Getenv(clientFDEnv)); err == nil && fd > 2 {
		unix.CloseOnExec(fd)
		fds = append(fds, unix.PollFd{Fd: int32(fd)})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for ctx.Err() == nil {
			// Nothing is asked for: the end of the other side is reported all the same.
			if n, err := unix.Poll(fds, 200); err == nil && n > 0 && slices.ContainsFunc(fds, hungUp) {
				cancel(errors.New("the pusher has gone"))
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

func hungUp(fd unix.PollFd) bool { return fd.Revents&(unix.POLLERR|unix.POLLHUP) != 0 }

// pushOption tells whether the pusher gave the option: git push -o NAME.
func pushOption(c *plug.C, name string) bool {
	n, err := strconv.Atoi(c.Getenv("GIT_PUSH_OPTION_COUNT"))
	for i := 0; err == nil && i < n; i++ {
		if c.Getenv("GIT_PUSH_OPTION_"+strconv.Itoa(i)) == name {
			return true
		}
	}
	return false
}
