// Package settings is the one place that knows where things are and what they are called: paths, users, commands,
// image names, ports and time-outs, each with the default that exists today. A setting is an environment variable, so
// that dokkurc, a shell, a unit file and a plugin can all give it the same way.
package settings

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
)

// Names of the environment variables; what they mean stands at the methods that read them.
const (
	Root             = "DOKKU_ROOT"
	LibRoot          = "DOKKU_LIB_ROOT"
	RunRoot          = "DOKKU_RUN_ROOT"
	PluginPath       = "PLUGIN_PATH"
	SystemUser       = "DOKKU_SYSTEM_USER"
	SystemGroup      = "DOKKU_SYSTEM_GROUP"
	StackImage       = "DOKKU_IMAGE"
	Trace            = "DOKKU_TRACE"
	Quiet            = "DOKKU_QUIET_OUTPUT"
	ForceDelete      = "DOKKU_APPS_FORCE_DELETE"
	AppName          = "DOKKU_APP_NAME"
	NoWait           = "DOKKU_NO_WAIT"
	BuildSlots       = "DOKKU_BUILD_SLOTS"
	BuildMemory      = "DOKKU_BUILD_MEMORY"
	BuildCPUs        = "DOKKU_BUILD_CPUS"
	BuildTimeout     = "DOKKU_BUILD_TIMEOUT"
	ForceBuild       = "DOKKU_FORCE_BUILD"
	CNBBuilder       = "DOKKU_CNB_BUILDER"
	CNBAllowed       = "DOKKU_CNB_ALLOWED_BUILDERS"
	NginxTest        = "DOKKU_NGINX_TEST_COMMAND"
	NginxReload      = "DOKKU_NGINX_RELOAD_COMMAND"
	NginxPIDFile     = "DOKKU_NGINX_PID_FILE"
	NginxAddress     = "DOKKU_NGINX_ADDRESS"
	NginxPort        = "DOKKU_NGINX_PORT"
	NginxTLSPort     = "DOKKU_NGINX_SSL_PORT"
	NginxLogRoot     = "DOKKU_NGINX_LOG_ROOT"
	Watch            = "DOKKU_WATCH"
	WatchAttached    = "DOKKU_WATCH_ATTACHED"
	ImageBudget      = "DOKKU_IMAGE_BUDGET_MB"
	RestoreJobs      = "DOKKU_RESTORE_JOBS"
	WaitToRetire     = "DOKKU_WAIT_TO_RETIRE"
	StopTimeout      = "DOKKU_STOP_TIMEOUT"
	ChecksWait       = "DOKKU_CHECKS_WAIT"
	ChecksTimeout    = "DOKKU_CHECKS_TIMEOUT"
	ChecksAttempts   = "DOKKU_CHECKS_ATTEMPTS"
	SkipAllChecks    = "DOKKU_SKIP_ALL_CHECKS"
	SkipDefault      = "DOKKU_SKIP_DEFAULT_CHECKS"
	DefaultCheckWait = "DOKKU_DEFAULT_CHECKS_WAIT"
	RestartLimit     = "DOKKU_RESTART_LIMIT"
	HookTimeout      = "DOKKU_HOOK_TIMEOUT"
	MinFree          = "DOKKU_MIN_FREE_MB"
	BuildCache       = "DOKKU_BUILD_CACHE_MB"
	ArchiveMB        = "DOKKU_ARCHIVE_MAX_MB"
	ArchiveFiles     = "DOKKU_ARCHIVE_MAX_FILES"
	FetchTimeout     = "DOKKU_FETCH_TIMEOUT"
	CacheDir         = "DOKKU_CACHE_DIR"
)

// Lookup returns the value of key in env, a list of KEY=VALUE in which the last one wins.
func Lookup(env []string, key string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], key); ok && strings.HasPrefix(v, "=") {
			return v[1:], true
		}
	}
	return "", false
}

// Set returns env with key set to value, in place of what it had.
func Set(env []string, key, value string) []string {
	return append(Unset(env, key), key+"="+value)
}

// Unset returns env without key.
func Unset(env []string, key string) []string {
	out := make([]string, 0, len(env)+1)
	for _, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); name != key {
			out = append(out, kv)
		}
	}
	return out
}

// Settings reads the settings of one environment.
type Settings struct{ Env []string }

// Get returns the variable key, or def when it is unset or empty.
func (s Settings) Get(key, def string) string {
	if v, ok := Lookup(s.Env, key); ok && v != "" {
		return v
	}
	return def
}

// Root is the directory of the apps, DOKKU_ROOT.
func (s Settings) Root() string { return s.Get(Root, "/home/dokku") }

// LibRoot is the directory of everything that is not an app, DOKKU_LIB_ROOT.
func (s Settings) LibRoot() string { return s.Get(LibRoot, "/var/lib/dokku") }

// RunRoot is the directory of what does not outlive a boot, DOKKU_RUN_ROOT: /run/dokku. An instance that is not the
// host's own has it among its data.
func (s Settings) RunRoot() string {
	if (Settings{}).LibRoot() != s.LibRoot() {
		return s.Get(RunRoot, filepath.Join(s.LibRoot(), "data/.run"))
	}
	return s.Get(RunRoot, "/run/dokku")
}

// Data is the directory in which the core plugin of that name keeps its records.
func (s Settings) Data(plugin string) string { return filepath.Join(s.LibRoot(), "data", plugin) }

// PluginPath is the directory of the enabled plugins, PLUGIN_PATH.
func (s Settings) PluginPath() string {
	return s.Get(PluginPath, filepath.Join(s.LibRoot(), "plugins"))
}

// CorePluginPath is the directory that holds available/, in which the core plugins are.
func (s Settings) CorePluginPath() string {
	return s.Get("PLUGIN_CORE_PATH", filepath.Join(s.LibRoot(), "core-plugins"))
}

// CompatPath is the directory that is first in the PATH of hooks of plugins of that age.
func (s Settings) CompatPath(age string) string {
	return filepath.Join(s.CorePluginPath(), "compat", age)
}

// User owns everything and runs every verb that does not need root.
func (s Settings) User() string { return s.Get(SystemUser, "dokku") }

// Group is the group of User.
func (s Settings) Group() string { return s.Get(SystemGroup, s.User()) }

// StackImage is the image on which Procfile apps are built.
func (s Settings) StackImage() string { return StackRef(s.Get(StackImage, "dokku/stack:latest")) }

// StackRef is the image that a name of a stack means: a plain word is a tag of dokku/stack, buildstep is the image of
// 2014, and everything else is the name of an image.
func StackRef(name string) string {
	switch {
	case name == "buildstep":
		return "progrium/buildstep:latest"
	case !strings.ContainsAny(name, "/:@"):
		return "dokku/stack:" + name
	case !strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ":") && !strings.Contains(name, "@"):
		return name + ":latest"
	}
	return name
}

// CacheDir is where what takes long to make and is the same for all platforms of the host is kept, DOKKU_CACHE_DIR.
func (s Settings) CacheDir() string { return s.Get(CacheDir, "/var/cache/dokku") }

// Command splits the setting key, a command line, into words; def is used when it is not set.
func (s Settings) Command(key, def string) ([]string, error) {
	words, err := shellquote.Split(s.Get(key, def))
	if err == nil && len(words) == 0 {
		err = errors.New("it has no words")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use %s=%q as a command: %v", key, s.Get(key, def), err)
	}
	return words, nil
}

// Int returns the setting key as a whole number of at least 0.
func (s Settings) Int(key string, def int) (int, error) {
	v := s.Get(key, "")
	if v == "" {
		return def, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("cannot use %s=%q: give a whole number of at least 0", key, v)
	}
	return n, nil
}

// Seconds returns the setting key, a whole number of seconds.
func (s Settings) Seconds(key string, def int) (time.Duration, error) {
	n, err := s.Int(key, def)
	if n > math.MaxInt64/int(time.Second) {
		return 0, fmt.Errorf("cannot use %s=%d: so many seconds cannot be counted", key, n)
	}
	return time.Duration(n) * time.Second, err
}

// On tells whether the setting key is switched on: set, and not empty, 0 or false.
func (s Settings) On(key string) bool {
	switch s.Get(key, "") {
	case "", "0", "false":
		return false
	}
	return true
}
