package buildstep

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// runSh is the entry of the stack's child (toolchain-2014, section 10): it runs what a build has left in /app, and, where
// there has been none, builds before that what the repository $GIT_REPO has. Its first two messages are those of old.
func runSh(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprintln(stderr, "No command/process type specified")
		return 1
	}
	if err := clearUnfinished(); err != nil {
		fmt.Fprintf(stderr, " !     cannot empty %s: %v\n", appDir, err)
		return 1
	}
	empty, err := isEmpty(appDir)
	if err != nil {
		fmt.Fprintf(stderr, " !     cannot look into %s: %v\n", appDir, err)
		return 1
	}
	if empty {
		if status := buildRepository(os.Getenv("GIT_REPO"), stdout, stderr); status != 0 {
			return status
		}
	}
	if args[0] == "/start" { // by itself, for /exec would source the app's profile first, and it then once more
		return Main(append([]string{"start"}, args[1:]...), stdout, stderr)
	}
	return Main(append([]string{"exec"}, args...), stdout, stderr)
}

func buildRepository(url string, stdout, stderr io.Writer) int {
	if url == "" {
		fmt.Fprintln(stderr, "No $GIT_REPO environment variable defined")
		return 1
	}
	// The URL may have a password in it, so it is not shown.
	clone := exec.Command("git", "clone", "--quiet", "--recursive", "--", url, appDir)
	clone.Stdout, clone.Stderr = stdout, stderr
	if err := os.WriteFile(unfinished, nil, 0o644); err != nil {
		fmt.Fprintf(stderr, " !     cannot build: %v\n", err)
		return 1
	}
	if err := clone.Run(); err != nil {
		fmt.Fprintf(stderr, " !     cannot clone $GIT_REPO: %v\n", err)
		return 1
	}
	if err := handOn(); err != nil {
		fmt.Fprintf(stderr, " !     cannot build: %v\n", err)
		return 1
	}
	if status := Main([]string{"builder"}, stdout, stderr); status != 0 {
		return status
	}
	if err := os.Remove(unfinished); err != nil {
		fmt.Fprintf(stderr, " !     cannot build: %v\n", err)
		return 1
	}
	return 0
}

// unfinished is there from before the clone until the build is through.
const unfinished = "/build/unfinished"

// clearUnfinished empties /app when a build has ended early, however that was: the container may be started again, and
// what is there is no app then.
func clearUnfinished() error {
	if _, err := os.Lstat(unfinished); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	entries, err := os.ReadDir(appDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(appDir, e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(unfinished)
}

// handOn gives the builder what the container's environment says of where packages come from, in the way in which a
// platform does it.
func handOn() error {
	if err := os.MkdirAll(HostEnvDir, 0o755); err != nil {
		return err
	}
	for _, key := range HostVariables() {
		if v, ok := os.LookupEnv(key); ok {
			if err := os.WriteFile(filepath.Join(HostEnvDir, key), []byte(v), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// isEmpty tells whether a directory has nothing in it, or is not there.
func isEmpty(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return len(entries) == 0, err
}
