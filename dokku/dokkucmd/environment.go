package dokkucmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// environment returns the environment of everything that dokku starts: base, the settings files of the host, and the
// variables that plugins expect (plugin-contract, section 5).
func environment(base []string) ([]string, error) {
	env := withoutCompat(slices.Clone(base))
	root := settings.Settings{Env: env}.Root()
	env, err := readRC(root, env)
	if err != nil {
		return nil, err
	}
	s := settings.Settings{Env: env}
	plugins := s.PluginPath()
	set := func(key, value string) { env = settings.Set(env, key, value) }
	set(settings.Root, s.Root())
	set(settings.LibRoot, s.LibRoot())
	set("DOKKU_LIB_HOST_ROOT", s.Get("DOKKU_LIB_HOST_ROOT", s.LibRoot()))
	set("DOKKU_HOST_ROOT", s.Get("DOKKU_HOST_ROOT", s.Root()))
	set(settings.PluginPath, plugins)
	set("PLUGIN_AVAILABLE_PATH", s.Get("PLUGIN_AVAILABLE_PATH", plugins+"/available"))
	set("PLUGIN_ENABLED_PATH", s.Get("PLUGIN_ENABLED_PATH", plugins+"/enabled"))
	set("PLUGIN_CORE_PATH", s.CorePluginPath())
	set("PLUGIN_CORE_AVAILABLE_PATH", s.CorePluginPath()+"/available")
	set("PLUGIN_CORE_ENABLED_PATH", s.CorePluginPath()+"/enabled")
	set(settings.SystemUser, s.User())
	set(settings.SystemGroup, s.Group())
	set("DOKKU_API_VERSION", "1")
	set("DOKKU_NOT_IMPLEMENTED_EXIT", "10")
	set("DOKKU_VALID_EXIT", "0")
	set("DOKKU_LOGS_DIR", s.Get("DOKKU_LOGS_DIR", "/var/log/dokku"))
	set("DOKKU_EVENTS_LOGFILE", s.Get("DOKKU_EVENTS_LOGFILE", "/var/log/dokku/events.log"))
	set("DOKKU_DISTRO", s.Get("DOKKU_DISTRO", distribution()))
	set("DOCKER_BIN", s.Get("DOCKER_BIN", "docker"))
	// What plugins put between `docker run` and the image, so that their containers can be told from those of others.
	set("DOKKU_CONTAINER_LABEL", s.Get("DOKKU_CONTAINER_LABEL", "dokku"))
	set("DOKKU_GLOBAL_RUN_ARGS", s.Get("DOKKU_GLOBAL_RUN_ARGS",
		"--label=dokku --label=org.label-schema.schema-version=1.0 --label=org.label-schema.vendor=dokku"))
	set("DOKKU_PID", strconv.Itoa(os.Getpid()))
	// Hooks call dokku and pluginhook by name: they get the ones that lie beside us.
	if self, err := os.Executable(); err == nil {
		env = prependPath(env, filepath.Dir(self))
	}
	// Who acts: the name of the key, for plugins that decide by it.
	name := s.Get("NAME", "")
	if name == "" {
		name = "default"
	}
	set("SSH_NAME", s.Get("SSH_NAME", name))
	return env, nil
}

// withoutCompat takes out of the environment what only hooks of plugins find in it: the dokku that a hook calls is none.
func withoutCompat(env []string) []string {
	path, _ := settings.Lookup(env, "PATH")
	compat := settings.Settings{Env: env}.CompatPath("")
	if !strings.Contains(path, compat) {
		return env
	}
	if distro, _ := settings.Lookup(env, "DOKKU_DISTRO"); distro == "ubuntu" && strings.Contains(path, compat+"/"+plug.Age2014) {
		env = settings.Unset(env, "DOKKU_DISTRO")
	}
	dirs := slices.DeleteFunc(strings.Split(path, ":"), func(dir string) bool { return filepath.Dir(dir) == compat })
	return settings.Set(env, "PATH", strings.Join(dirs, ":"))
}

// distribution is the name of the host's distribution, as it is known to scripts.
func distribution() string {
	data, err := os.ReadFile("/etc/os-release")
	if err == nil {
		for line := range strings.Lines(string(data)) {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line), "ID="); ok {
				return strings.Trim(id, `"'`)
			}
		}
	}
	return "debian"
}

func prependPath(env []string, dir string) []string {
	path, _ := settings.Lookup(env, "PATH")
	if path == "" {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	if path == dir || strings.HasPrefix(path, dir+":") {
		return env
	}
	return settings.Set(env, "PATH", dir+":"+path)
}

// readRC reads DOKKU_ROOT/dokkurc and the files of DOKKU_ROOT/.dokkurc, in order of name.
func readRC(root string, env []string) ([]string, error) {
	files := []string{filepath.Join(root, "dokkurc")}
	entries, err := os.ReadDir(filepath.Join(root, ".dokkurc"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("cannot read the settings: %w", err)
	}
	for _, e := range entries {
		files = append(files, filepath.Join(root, ".dokkurc", e.Name()))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // another user has no business there, and becomes the system user first
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the settings: %w", err)
		}
		if assigned, ok := assignments(string(data)); ok {
			for _, kv := range assigned {
				key, value, _ := strings.Cut(kv, "=")
				env = settings.Set(env, key, value)
			}
			continue
		}
		if env, err = source(file, env); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// assignments reads a file that only assigns plain values, which most are; ok is false when it takes a shell to tell
// what the file means.
func assignments(text string) (assigned []string, ok bool) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, false
	}
	for line := range strings.Lines(text) {
		// Ends of line of Windows are forgiven; a shell would make them part of the value.
		line = strings.Trim(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		if strings.ContainsAny(line, "$`;&|<>(){}*?[]~#\\!\r") {
			return nil, false
		}
		words, err := shellquote.Split(line)
		if err != nil {
			return nil, false
		}
		export := strings.HasPrefix(line, "export ") || strings.HasPrefix(line, "export\t")
		if export {
			words = words[1:]
		}
		for _, word := range words {
			key, _, found := strings.Cut(word, "=")
			if !found || !validName(key) {
				return nil, false
			}
			// Without export a quote in the name makes a command of it, and so does a second word of the first.
			if !export && (len(words) > 1 || !strings.HasPrefix(line, key+"=")) {
				return nil, false
			}
		}
		assigned = append(assigned, words...)
	}
	return assigned, true
}

func validName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// source has bash read the file and returns the environment it leaves.
func source(file string, env []string) ([]string, error) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		return nil, fmt.Errorf("cannot read the settings in %q: it takes bash", file)
	}
	printer, err := exec.LookPath("env") // now, since the file may change PATH
	if err != nil {
		return nil, fmt.Errorf("cannot read the settings in %q: %w", file, err)
	}
	var out, diag bytes.Buffer
	cmd := &exec.Cmd{Path: bash, Env: env, Stdout: &out, Stderr: &diag,
		Args: []string{"bash", "-c", `bash -n -- "$1" || exit; set -a; . "$1" >&2; exec "$2" -0`, "bash", file, printer}}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("cannot read the settings in %q: %v: %s", file, err, strings.TrimSpace(diag.String()))
	}
	var got []string
	for kv := range strings.SplitSeq(strings.TrimRight(out.String(), "\x00"), "\x00") {
		if key, _, _ := strings.Cut(kv, "="); key != "_" && key != "SHLVL" {
			got = append(got, kv)
		}
	}
	return got, nil
}
