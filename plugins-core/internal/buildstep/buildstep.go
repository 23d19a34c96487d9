// Package buildstep is what runs inside the containers of the stack: the builder that turns a tree in /app into an app,
// and the programs /start and /exec that run it (toolchain-2014, section 9). It is part of the dokku program, which
// lies in the stack image as [Program].
package buildstep

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Where things are in a container of the stack.
const (
	appDir       = "/app"
	cacheDir     = "/cache"
	buildpackDir = "/build/buildpacks"
	EnvDir       = "/tmp/env"      // a file per variable of the app, as buildpacks read them
	HostEnvDir   = "/tmp/host-env" // a file per variable that the build's programs see
	profileDir   = appDir + "/.profile.d"
	releaseFile  = appDir + "/.release"
)

// Program is where the dokku program lies in the stack image.
const Program = "/build/dokku"

// Programs are the names that the program has in the stack image beside that, and the words that [Main] knows it by.
// Herokuish is what plugins call that were made for that image.
func Programs() map[string]string {
	return map[string]string{"build/builder": "builder", "start": "start", "exec": "exec", "run.sh": "run.sh", "bin/herokuish": "herokuish"}
}

// Stack is the name that buildpacks see in STACK.
const Stack = "dokku-12"

// userID owns and runs apps in their containers.
const userID = 32767

// lastBuildpack takes whatever has a Procfile, so it is asked last.
const lastBuildpack = "procfile"

// HostVariables are the variables of the host that builds may see: they tell programs where packages come from.
func HostVariables() []string {
	return []string{
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
		"npm_config_registry", "GOPROXY", "GONOSUMDB", "GOSUMDB", "GOFLAGS", "PIP_INDEX_URL", "NODE_EXTRA_CA_CERTS",
	}
}

// Main runs one of the container's programs, builder, start or exec, and returns its status.
func Main(args []string, stdout, stderr io.Writer) int {
	var err error
	program := ""
	if len(args) > 0 {
		program = args[0]
	}
	switch program {
	case "":
		err = usageError("cannot run nothing: want builder, start or exec")
	case "builder":
		b := &builder{stdout: stdout, stderr: stderr}
		err = b.run()
	case "start":
		err = start(args[1:])
	case "exec":
		err = execute(args[1:])
	case "run.sh":
		return runSh(args[1:], stdout, stderr)
	case "herokuish":
		return herokuish(args[1:], stdout, stderr)
	default:
		err = usageError(fmt.Sprintf("cannot run %q: want builder, start or exec", program))
	}
	var status statusError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintf(stderr, " !     %v\n", err)
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// usageError says that the words are wrong.
type usageError string

func (e usageError) Error() string { return string(e) }

// builder is one build.
type builder struct {
	stdout, stderr io.Writer
	env            []string
}

func (b *builder) say(format string, args ...any) { fmt.Fprintf(b.stdout, format+"\n", args...) }

// run builds the tree in /app, in place.
func (b *builder) run() error {
	if err := b.prepare(); err != nil {
		return err
	}
	pack, name, err := b.choose()
	if err != nil {
		return err
	}
	b.say("       %s app detected", name)
	if err := b.script(pack, "compile", b.stdout, appDir, cacheDir, EnvDir); err != nil {
		return fmt.Errorf("cannot build: the buildpack's compile failed: %w", err)
	}
	if err := b.release(pack, name); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(EnvDir), os.RemoveAll(HostEnvDir), own(releaseFile), own(profileDir))
}

// prepare gives the tree to the user that the app runs as and gathers the environment of the build.
func (b *builder) prepare() error {
	for _, dir := range []string{cacheDir, EnvDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.Chown(cacheDir, userID, userID); err != nil {
		return err
	}
	if err := own(appDir); err != nil {
		return err
	}
	b.env = append(b.env, "PATH="+os.Getenv("PATH"), "LANG=C.UTF-8", "HOME="+appDir, "STACK="+Stack,
		"REQUEST_ID="+strings.ToLower(rand.Text()), "CACHE_PATH="+cacheDir, "USER=app", "LOGNAME=app",
		"CURL_CONNECT_TIMEOUT=5", "CURL_TIMEOUT=30")
	host, err := readDir(HostEnvDir)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(host)) {
		b.env = append(b.env, key+"="+host[key])
	}
	return b.sourceDotEnv()
}

// readDir reads a directory that holds a file per variable.
func readDir(dir string) (map[string]string, error) {
	vars := map[string]string{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return vars, nil
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		vars[e.Name()] = string(data)
	}
	return vars, err
}

// sourceDotEnv adds what the repository's own .env exports; it is a shell file.
func (b *builder) sourceDotEnv() error {
	if _, err := os.Stat(appDir + "/.env"); err != nil {
		return nil
	}
	var out bytes.Buffer
	cmd := b.command("bash", "-c", "set -a; . /app/.env; exec env -0")
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot read the .env of the repository: %w", err)
	}
	b.env = strings.Split(strings.TrimRight(out.String(), "\x00"), "\x00")
	return nil
}

// command is a program that runs as the app's user.
func (b *builder) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = b.env, appDir
	cmd.Stdout, cmd.Stderr = b.stdout, b.stderr
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: userID, Gid: userID}}
	}
	return cmd
}

func (b *builder) script(pack, name string, stdout io.Writer, args ...string) error {
	cmd := b.command(filepath.Join(pack, "bin", name), args...)
	cmd.Stdout = stdout
	return cmd.Run()
}

// choose returns the buildpack and the name that it gives to the app: the one that BUILDPACK_URL names, whatever it
// says of the tree, else the first that knows the tree.
func (b *builder) choose() (pack, name string, err error) {
	if url := b.buildpackURL(); url != "" {
		if pack, err = b.fetch(url); err != nil {
			return "", "", err
		}
		var out bytes.Buffer
		if err := b.script(pack, "detect", &out, appDir); err != nil && out.Len() == 0 {
			out.WriteString("Custom")
		}
		return pack, strings.TrimSpace(out.String()), nil
	}
	entries, err := os.ReadDir(buildpackDir)
	if err != nil {
		return "", "", fmt.Errorf("cannot find the buildpacks of the stack: %w", err)
	}
	names := make([]string, 0, len(entries)+1)
	for _, e := range entries {
		if e.Name() != lastBuildpack {
			names = append(names, e.Name())
		}
	}
	for _, n := range append(names, lastBuildpack) {
		var out bytes.Buffer
		pack := filepath.Join(buildpackDir, n)
		if err := b.script(pack, "detect", &out, appDir); err == nil {
			return pack, strings.TrimSpace(out.String()), nil
		}
	}
	b.say("       Unable to select a buildpack")
	return "", "", fmt.Errorf("cannot build: no Dockerfile, no Procfile, and none of the buildpacks %s knows this source",
		strings.Join(names, ", "))
}

func (b *builder) buildpackURL() string {
	if data, err := os.ReadFile(EnvDir + "/BUILDPACK_URL"); err == nil {
		return strings.TrimSpace(string(data))
	}
	for _, kv := range b.env {
		if v, ok := strings.CutPrefix(kv, "BUILDPACK_URL="); ok {
			return v
		}
	}
	return ""
}

// fetch clones the buildpack at url, which may end in #REF.
func (b *builder) fetch(url string) (string, error) {
	b.say("       Fetching custom buildpack")
	url, ref, _ := strings.Cut(url, "#")
	if strings.HasPrefix(url, "-") || strings.HasPrefix(ref, "-") {
		return "", fmt.Errorf("cannot fetch the buildpack %q: it is no URL", url)
	}
	dir := filepath.Join(os.TempDir(), "custom-buildpack")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.Chown(dir, userID, userID); err != nil {
		return "", err
	}
	args := []string{"clone", "--quiet", "--recursive"}
	if ref == "" {
		args = append(args, "--depth=1")
	}
	if err := b.command("git", append(args, "--", url, dir)...).Run(); err != nil {
		return "", fmt.Errorf("cannot fetch the buildpack %q: %w", url, err)
	}
	if ref != "" {
		if err := b.command("git", "-C", dir, "checkout", "--quiet", ref, "--").Run(); err != nil {
			return "", fmt.Errorf("cannot check out %q of the buildpack %q: %w", ref, url, err)
		}
	}
	return dir, nil
}

// own gives path and all below it to the app's user; links are not followed.
func own(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	err := filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, userID, userID)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
