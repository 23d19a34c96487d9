// Package docs_test runs what the documentation shows, compares what it says with the code, and writes the parts of it
// that are made of the code: go test ./docs -update.
package docs_test

import (
	"flag"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dokku-go/dokku/dokku/dokkucmd"
	"github.com/dokku-go/dokku/pluginhook/hookcmd"
	"github.com/dokku-go/dokku/sshcommand/sshcmd"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the pages")

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		// Without this every exec of the test binary under -race sleeps for a second at its end.
		os.Setenv("GORACE", "atexit_sleep_ms=10")
	}
	testscript.Main(m, map[string]func(){
		"dokku":      func() { os.Exit(dokkucmd.Main(os.Args)) },
		"pluginhook": func() { os.Exit(hookcmd.Main(os.Args)) },
		"sshcommand": func() { os.Exit(sshcmd.Main(os.Args)) },
	})
}

// TestDocs runs each fenced block marked txtar of each page as a script.
func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var files []string
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line, block := range blocks(string(text)) {
			name := fmt.Sprintf("%s_line_%d.txtar", strings.TrimSuffix(page, ".md"), line)
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte(block), 0o644); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	testscript.Run(t, testscript.Params{Files: files, RequireExplicitExec: true, RequireUniqueNames: true, Setup: setup})
}

// blocks returns the txtar blocks of a page by the line that they begin at.
func blocks(page string) map[int]string {
	found := make(map[int]string)
	begin, number := 0, 0
	var block strings.Builder
	for line := range strings.Lines(page) {
		number++
		fence := strings.TrimSpace(line)
		switch {
		case begin == 0 && fence == "```txtar":
			begin = number
		case begin > 0 && fence == "```":
			found[begin] = block.String()
			begin = 0
			block.Reset()
		case begin > 0:
			block.WriteString(line)
		}
	}
	return found
}

// setup makes every file that begins with #! executable, as in the other scripts; a hook may want to compile Go. dokku
// has its directories below $WORK, and whoever runs the tests is its system user.
func setup(env *testscript.Env) error {
	me, err := user.Current()
	if err != nil {
		return err
	}
	env.Setenv("DOKKU_SYSTEM_USER", me.Username)
	env.Setenv("DOKKU_ROOT", filepath.Join(env.WorkDir, "root"))
	env.Setenv("DOKKU_LIB_ROOT", filepath.Join(env.WorkDir, "lib"))
	env.Setenv("DOCKER_HOST", os.Getenv("DOCKER_HOST")) // some blocks have the engine say that there is nothing
	env.Setenv("PLUGIN_PATH", filepath.Join(env.WorkDir, "plugins"))
	for _, dir := range []string{"root", "lib"} {
		if err := os.Mkdir(filepath.Join(env.WorkDir, dir), 0o755); err != nil {
			return err
		}
	}
	for _, key := range []string{"GOROOT", "GOCACHE", "GOFLAGS"} {
		env.Setenv(key, os.Getenv(key))
	}
	if os.Getenv("GOCACHE") == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		env.Setenv("GOCACHE", filepath.Join(cache, "go-build"))
	}
	return filepath.WalkDir(env.WorkDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(data), "#!") {
			return err
		}
		return os.Chmod(path, 0o755)
	})
}

func TestBlocks(t *testing.T) {
	got := blocks("text\n```txtar\na\nb\n```\n```go\nc\n```\n```txtar\n```\n```txtar\nunclosed\n")
	if len(got) != 2 || got[2] != "a\nb\n" || got[9] != "" {
		t.Errorf("got %v", got)
	}
}
