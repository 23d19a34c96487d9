package buildstep

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
)

// workDir holds the buildpacks of a build. It is not left in the image.
const workDir = "/tmp/buildpacks"

// Limits of what is fetched.
const (
	fetchTime  = 10 * time.Minute
	fetchBytes = 512 << 20
	unpackTo   = 2 << 30
	unpackMax  = 200_000
)

// get puts buildpack n of the build into a directory that is the app user's, for buildpacks write files there for those
// behind them. fetching is called before anything is fetched.
func (b *builder) get(entry Pack, n int, fetching func()) (*pack, error) {
	dir := filepath.Join(workDir, strconv.Itoa(n))
	var err error
	switch {
	case entry.Name != "":
		err = copyStackPack(entry.Name, dir)
	case entry.Path != "":
		err = copySourcePack(entry.Path, dir)
	case entry.Archive:
		fetching()
		err = b.fetchArchive(entry, dir)
	default:
		fetching()
		err = b.clone(entry, dir)
	}
	if err == nil {
		dir, err = packRoot(dir)
	}
	if err == nil {
		err = own(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot fetch the buildpack %q: %w", entry.Shown(), err)
	}
	return &pack{dir: dir}, nil
}

// packRoot is where in what was fetched the buildpack is: archives may have it in a single directory.
func packRoot(dir string) (string, error) {
	if p := (&pack{dir: dir}); has(p, "compile") {
		return dir, nil
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) == 1 && entries[0].IsDir() {
		if p := (&pack{dir: filepath.Join(dir, entries[0].Name())}); has(p, "compile") {
			return p.dir, nil
		}
	}
	return "", errors.New("it is no buildpack: it has no program bin/compile")
}

func copyStackPack(name, dir string) error {
	if name == multiPack {
		return errors.New("it is the list in the file .buildpacks of the source, which has none")
	}
	from := filepath.Join(buildpackDir, name)
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("the stack has no such buildpack; it has %s", strings.Join(stackPacks(), ", "))
	}
	return os.CopyFS(dir, os.DirFS(from))
}

func stackPacks() (names []string) {
	entries, _ := os.ReadDir(buildpackDir) // none is an answer
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func copySourcePack(path, dir string) error {
	root, err := os.OpenRoot(appDir)
	if err != nil {
		return err
	}
	defer root.Close()
	from, err := root.OpenRoot(path)
	if err != nil {
		return err
	}
	defer from.Close()
	return os.CopyFS(dir, from.FS())
}

// clone gets a repository, no more of it than is needed where that can be had: of a commit, and from servers of plain
// files, all of it.
func (b *builder) clone(entry Pack, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	args := []string{"clone", "--quiet", "--recurse-submodules", "--depth=1"}
	if entry.Ref != "" {
		args = append(args, "--branch="+entry.Ref)
	}
	err := b.git(ctx, append(args, "--", entry.URL, dir)...)
	if err == nil {
		return nil
	}
	if text := err.Error(); !strings.Contains(text, "emote branch") && !strings.Contains(text, "shallow") {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := b.git(ctx, "clone", "--quiet", "--no-checkout", "--", entry.URL, dir); err != nil {
		return err
	}
	ref := entry.Ref
	if ref == "" {
		ref = "HEAD"
	}
	if err := b.git(ctx, "-C", dir, "checkout", "--quiet", ref, "--"); err != nil {
		return fmt.Errorf("it has no %q: %w", ref, err)
	}
	return b.git(ctx, "-C", dir, "submodule", "--quiet", "update", "--init", "--recursive")
}

// git runs it as the app's user; an error is what it says.
func (b *builder) git(ctx context.Context, args ...string) error {
	cmd := b.command("git", args...)
	cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=https:http:git:ssh",
		"GIT_SSH_COMMAND=ssh -oBatchMode=yes -oConnectTimeout=20", "GIT_HTTP_LOW_SPEED_LIMIT=100", "GIT_HTTP_LOW_SPEED_TIME=60")
	return runFor(ctx, cmd)
}

// fetchArchive gets a tar and unpacks it; nothing in it leads out of dir.
func (b *builder) fetchArchive(entry Pack, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	file := dir + ".tgz"
	cmd := b.command("curl", "--fail", "--location", "--silent", "--show-error", "--connect-timeout", "20", "--retry", "2",
		"--proto", "=https,http", "--max-filesize", strconv.Itoa(fetchBytes), "--output", file, "--", entry.URL)
	if err := runFor(ctx, cmd); err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); entry.SHA256 != "" && got != entry.SHA256 {
		return fmt.Errorf("its checksum is sha256:%s", got)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := unpack.Into(dir, f, unpack.Limits{Bytes: unpackTo, Entries: unpackMax}); err != nil {
		return fmt.Errorf("cannot unpack it: %w", err)
	}
	return own(dir)
}

// runFor runs a command as long as ctx lasts; an error is what it says.
func runFor(ctx context.Context, cmd *exec.Cmd) error {
	var diag bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &diag, &diag, time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // it may have ended
	defer stop()
	err := cmd.Wait()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("it takes longer than %v", fetchTime)
	}
	return reason(diag.String(), err)
}

// reason finds in what a program said why it failed.
func reason(said string, err error) error {
	last := ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "fatal: "); ok {
			return errors.New(text)
		}
		if line != "" {
			last = line
		}
	}
	if last == "" {
		return err
	}
	return errors.New(last)
}
