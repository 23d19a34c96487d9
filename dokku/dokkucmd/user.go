package dokkucmd

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	core "github.com/dokku-go/dokku/plugins-core"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// becomeUser goes on as the system user, who owns everything: root turns into it here, any other user asks sudo to
// start dokku anew, with the words as they were typed, flags included. A few verbs need root and stay it. The result is
// the environment of that user.
func becomeUser(words, typed, env []string) ([]string, error) {
	name := settings.Settings{Env: env}.User()
	me, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err == nil && me.Username == name {
		return userEnv(env, name), nil
	}
	if needsRoot(words) {
		return env, nil
	}
	if os.Geteuid() != 0 {
		return nil, viaSudo(typed, name)
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("cannot become user %q: there is none; install dokku first, or set %s", name, settings.SystemUser)
	}
	if err := drop(u); err != nil {
		return nil, fmt.Errorf("cannot become user %q: %w", name, err)
	}
	// Root's directory for temporary files may be closed to the user.
	if tmp, ok := settings.Lookup(env, "TMPDIR"); ok && unix.Access(tmp, unix.W_OK) != nil {
		env = settings.Unset(env, "TMPDIR")
		if err := os.Unsetenv("TMPDIR"); err != nil {
			return nil, err
		}
	}
	return userEnv(env, name), nil
}

// userEnv is env with the system user's identity. HOME is DOKKU_ROOT, as for the real user dokku: plugins use both.
func userEnv(env []string, name string) []string {
	s := settings.Settings{Env: env}
	if u, ok := settings.Lookup(env, "SUDO_USER"); ok && u != "" {
		env = settings.Set(env, "SSH_USER", u)
	} else {
		env = settings.Set(env, "SSH_USER", name)
	}
	env = settings.Set(env, "USER", name)
	env = settings.Set(env, "LOGNAME", name)
	return settings.Set(env, "HOME", s.Root())
}

func needsRoot(words []string) bool {
	if len(words) == 0 {
		return false
	}
	if _, cmd := core.Owner(words[0]); cmd != nil {
		return cmd.Root
	}
	return strings.HasPrefix(words[0], "plugin:") || strings.HasPrefix(words[0], "ssh-keys:")
}

func viaSudo(words []string, name string) error {
	sudo, err := exec.LookPath("sudo")
	if err != nil {
		return fmt.Errorf("cannot become user %q: run dokku as that user or as root, or install sudo", name)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	argv := append([]string{"sudo", "-u", name, "-E", "-H", "--", self}, words...)
	return fmt.Errorf("cannot run sudo: %w", syscall.Exec(sudo, argv, os.Environ()))
}

// drop turns this process, root's, into user u with all of its groups.
func drop(u *user.User) error {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return err
	}
	groups := []int{gid}
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil && !slices.Contains(groups, n) {
			groups = append(groups, n)
		}
	}
	if err := syscall.Setgroups(groups); err != nil {
		return err
	}
	if err := syscall.Setgid(gid); err != nil {
		return err
	}
	if err := syscall.Setuid(uid); err != nil {
		return err
	}
	// A process that changed its user hides its descriptors from that user; ours are meant for it.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return err
	}
	// The directory that root stands in may be closed to the user; shells and git stumble over that.
	if unix.Access(".", unix.R_OK|unix.X_OK) != nil {
		return os.Chdir(u.HomeDir)
	}
	return nil
}
