package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/release"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// diagnose looks whether the branch that deploys says what is in service, and whether pushes come to us.
func diagnose(_ context.Context, c *plug.C, d *plug.Diagnosis) {
	d.EachApp(c, func(a app.App, d *plug.Diagnosis) {
		if _, err := os.Stat(a.Path("refs")); err != nil {
			d.Violation("git", a.Name, "dokku git:initialize "+a.Name, "it has no repository")
			return
		}
		checkHook(c, a, d)
		current, err := release.Current(a)
		if err != nil || current == nil || current.Revision == "" {
			return
		}
		branch := current.Branch
		if chosen := configuredBranch(c, a); branch == "" || chosen != "" && chosen != branch {
			return // another branch was chosen, and nothing of it is in service yet
		}
		rev, err := readRef(a, "refs/heads/"+branch)
		switch {
		case err != nil:
			d.Violation("git", a.Name, "mend the repository: git -C "+a.Dir()+" fsck", "branch %s cannot be read: %v", branch, err)
		case rev == "":
			d.Violation("git", a.Name, "dokku recover "+a.Name, "there is no branch %s, and %.7s is in service", branch, current.Revision)
		case isSynced(c, a, rev, current.Revision):
			d.Note("git", a.Name, "branch %s is at %.7s, which was fetched and is not built: dokku ps:rebuild %s", branch, rev, a.Name)
		case rev != current.Revision:
			d.Violation("git", a.Name, "dokku recover "+a.Name, "branch %s is at %.7s, and %.7s is in service", branch, rev, current.Revision)
		}
	})
}

func checkHook(c *plug.C, a app.App, d *plug.Diagnosis) {
	path, do := a.Path("hooks/pre-receive"), "dokku git:initialize "+a.Name
	text, err := os.ReadFile(path)
	st, statErr := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.Violation("git", a.Name, do, "its repository has no pre-receive hook: pushes are not deployed")
	case err != nil || statErr != nil:
		d.Violation("git", a.Name, do, "its pre-receive hook cannot be read: %v", errors.Join(err, statErr))
	case st.Mode()&0o111 == 0:
		d.Violation("git", a.Name, do, "its pre-receive hook is not executable: pushes are not deployed")
	case !strings.Contains(string(text), "dokku git-hook "+a.Name+"\n"):
		d.Violation("git", a.Name, do, "its pre-receive hook is not dokku's: pushes are not deployed")
	case string(text) != preReceive(c, a):
		d.Warning("git", a.Name, do, "its pre-receive hook was changed")
	}
}

// readRef returns the commit that a ref names, "" when there is none, without a program: a ref is a file of its own, or
// a line of packed-refs.
func readRef(a app.App, ref string) (string, error) {
	data, err := os.ReadFile(a.Path(ref))
	if err == nil {
		return strings.TrimSpace(string(data)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	packed, err := os.ReadFile(a.Path("packed-refs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for line := range strings.Lines(string(packed)) {
		if rev, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == ref && isObject(rev) {
			return rev, nil
		}
	}
	return "", nil
}
