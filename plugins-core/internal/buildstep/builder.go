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

	"golang.org/x/sys/unix"
)

// Files in [InputDir].
const (
	InputPacks    = "buildpacks" // the app's list, an entry per line
	InputDotEnv   = "dotenv"     // the repository's .env, where others may have written to that of the tree
	InputNoDotEnv = "no-dotenv"  // the same where the repository has none
)

// builder is one build.
type builder struct {
	stdout, stderr io.Writer
	env            []string
	input          map[string]string // the files of InputDir
}

func newBuilder(stdout, stderr io.Writer) *builder { return &builder{stdout: stdout, stderr: stderr} }

func (b *builder) say(format string, args ...any) { fmt.Fprintf(b.stdout, format+"\n", args...) }

// run builds the tree in /app, in place. Nothing is left of what the build was given, nor of the buildpacks.
func (b *builder) run() error {
	if err := b.prepare(); err != nil {
		return err
	}
	p, err := b.plan()
	if err != nil {
		return err
	}
	last, err := b.compileAll(p)
	if err != nil {
		return err
	}
	if err := b.restoreDotEnv(); err != nil {
		return err
	}
	if err := b.release(last); err != nil {
		return err
	}
	return errors.Join(own(releaseFile), own(profileDir), emptyTemp())
}

// prepare gives the tree to the user that the app runs as and gathers the environment of the build: ours, the host's,
// what the repository's .env says, and the app's variables, the later ones winning.
func (b *builder) prepare() error {
	for _, dir := range []string{cacheDir, EnvDir, workDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, dir := range []string{cacheDir, workDir} {
		if err := os.Chown(dir, userID, userID); err != nil {
			return err
		}
	}
	if err := own(appDir); err != nil {
		return err
	}
	for fd := 1; fd < 3; fd++ { // so that buildpacks may open /dev/stdout
		_ = unix.Fchown(fd, userID, userID) // not a file that can be given away: no loss
	}
	b.env = append(b.env, "PATH="+os.Getenv("PATH"), "LANG=C.UTF-8", "HOME="+appDir, "STACK="+Stack,
		"REQUEST_ID="+strings.ToLower(rand.Text()), "CACHE_PATH="+cacheDir, "USER=app", "LOGNAME=app",
		"CURL_CONNECT_TIMEOUT=5", "CURL_TIMEOUT=30")
	host, err := readDir(HostEnvDir)
	if err != nil {
		return err
	}
	if b.input, err = readDir(InputDir); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(host)) {
		b.env = append(b.env, key+"="+host[key])
	}
	if err := b.sourceDotEnv(); err != nil {
		return err
	}
	own, err := readDir(EnvDir)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if !steers(key) {
			b.env = append(b.env, key+"="+own[key])
		}
	}
	return nil
}

// steers tells whether a variable changes what the programs of a build are and do rather than what the app is. Such ones
// of an app are for its containers; buildpacks that want them find them in ENV_DIR.
func steers(key string) bool {
	switch key {
	case "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "IFS", "ENV", "CDPATH", "PS4", "SHELLOPTS", "POSIXLY_CORRECT",
		"TMPDIR", "TMP", "TEMP", "CPATH", "CPPATH", "LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "RUBYOPT", "REQUEST_ID", "CACHE_PATH":
		return true
	}
	return strings.HasPrefix(key, "LD_") || strings.HasPrefix(key, "GIT_") || strings.HasPrefix(key, "BASH")
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

// sourceDotEnv adds what the .env of the tree sets; it is a shell file.
func (b *builder) sourceDotEnv() error {
	if _, err := os.Stat(appDir + "/.env"); err != nil {
		return nil
	}
	env, err := b.source("set -a; . /app/.env", appDir)
	if err != nil {
		return fmt.Errorf("cannot read the .env of the repository: %w", err)
	}
	for _, kv := range env {
		if key, _, _ := strings.Cut(kv, "="); !steers(key) {
			b.env = append(b.env, kv)
		}
	}
	return nil
}

// source runs shell text and returns the environment that is there then. What the text prints is no part of that.
func (b *builder) source(text, dir string) (env []string, err error) {
	var out bytes.Buffer
	cmd := b.command("/bin/bash", "-c", "exec 3>&1 >&2\n"+text+"\nexec /usr/bin/env -0 >&3")
	cmd.Dir, cmd.Stdout = dir, &out
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	if out.Len() == 0 {
		return nil, errors.New("it ends the shell that reads it")
	}
	for kv := range strings.SplitSeq(strings.TrimRight(out.String(), "\x00"), "\x00") {
		switch key, _, _ := strings.Cut(kv, "="); key {
		case "_", "SHLVL", "PWD", "OLDPWD":
		default:
			env = append(env, kv)
		}
	}
	return env, nil
}

// restoreDotEnv has the .env of the tree be the repository's again, when a plugin has added the app's variables to it.
func (b *builder) restoreDotEnv() error {
	text, restore := b.input[InputDotEnv]
	_, remove := b.input[InputNoDotEnv]
	if !restore && !remove {
		return nil
	}
	file := appDir + "/.env"
	if err := os.RemoveAll(file); err != nil || remove {
		return err
	}
	st, err := os.Stat(filepath.Join(InputDir, InputDotEnv))
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(file, []byte(text), st.Mode().Perm()), own(file))
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

// script runs a program of a buildpack, in the buildpack's directory, which is where those that need it look for their
// own files.
func (b *builder) script(p *pack, name string, args ...string) error {
	cmd := b.command(filepath.Join(p.dir, "bin", name), args...)
	cmd.Dir = p.dir
	return cmd.Run()
}

// ask is script for what it prints. The program may open /dev/stdout, so that has to be its user's.
func (b *builder) ask(p *pack, name string, args ...string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	if os.Geteuid() == 0 {
		if err := w.Chown(userID, userID); err != nil {
			return "", errors.Join(err, w.Close())
		}
	}
	text := make(chan []byte, 1)
	go func() {
		data, _ := io.ReadAll(io.LimitReader(r, 1<<20)) // a pipe of ours: it ends
		text <- data
		_, _ = io.Copy(io.Discard, r)
	}()
	cmd := b.command(filepath.Join(p.dir, "bin", name), args...)
	cmd.Dir, cmd.Stdout = p.dir, w
	err = cmd.Run()
	_ = w.Close()
	return string(<-text), err
}

// emptyTemp removes all from /tmp, of which nothing is to get into the image, but for what is mounted there.
func emptyTemp() error {
	const temp = "/tmp" // not TMPDIR: that may be a directory of the app
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(temp)
	errs := []error{err}
	for _, e := range entries {
		path := filepath.Join(temp, e.Name())
		shown := strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`).Replace(path)
		if !bytes.Contains(mounts, []byte(" "+shown+" ")) && !bytes.Contains(mounts, []byte(" "+shown+"/")) {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
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
