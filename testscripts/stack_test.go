package testscripts

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStackKilled kills stack:create at work: while it makes a root file system, imports one, and lays programs over it.
// The name stands for what it stood for before or for a whole stack, and when the next one is through, nothing is left.
func TestStackKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("makes root file systems and images: not in short mode")
	}
	t.Parallel()
	k := &stackKiller{t: t, p: newPlatform(t), ref: fmt.Sprintf("dokku/stack:killed-%d", os.Getpid())}
	k.tmp, k.cache = filepath.Join(k.p.dir, "tmp"), filepath.Join(k.p.dir, "cache")
	if err := os.Mkdir(k.tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.p.run(nil, "docker", "image", "rm", "-f", k.ref); err != nil && k.made {
			t.Error(err)
		}
	})
	t.Run("debian", k.debian)
	t.Run("tar", k.tar)
}

type stackKiller struct {
	t          *testing.T
	p          *platform
	ref        string
	tmp, cache string
	made       bool // the image is there
}

// command is stack:create with directories that are looked at afterwards.
func (k *stackKiller) command(args ...string) *exec.Cmd {
	return k.p.command([]string{"TMPDIR=" + k.tmp, "DOKKU_CACHE_DIR=" + k.cache}, append([]string{k.p.bin + "/dokku", "stack:create", k.ref}, args...)...)
}

// debian dies at the first and the last step of making the smallest root file system; with DOKKU_TEST_FULL also in the
// middle.
func (k *stackKiller) debian(t *testing.T) {
	moments := []string{"running apt-get update", "Importing the root file system"}
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		moments = slices.Insert(moments, 1, "installing remaining packages")
	}
	for _, moment := range moments {
		cmd := k.command("--with", "none")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		seen := false
		for lines := bufio.NewScanner(out); !seen && lines.Scan(); {
			seen = strings.Contains(lines.Text(), moment)
		}
		if !seen {
			t.Errorf("it was never at %q", moment)
		}
		_ = cmd.Process.Kill() // it may have ended
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		k.after(t, moment)
	}
	k.whole(t, "--with", "none")
	kept, err := filepath.Glob(k.cache + "/*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("got %q, %v in the cache, want one file", kept, err)
	}
	// The engine keeps the base for others for an hour, and the next run of this test is to make it again.
	recipe := strings.TrimSuffix(kept[0][strings.LastIndexByte(kept[0], '-')+1:], ".tar.zst")
	k.t.Cleanup(func() { _ = k.p.run(nil, "docker", "image", "rm", "dokku/stack-base:"+recipe) }) // it may be another's
}

// tar dies at any moment of making a stack of a file, over and over.
func (k *stackKiller) tar(t *testing.T) {
	file := filepath.Join(k.p.dir, "rootfs.tar")
	if err := k.p.run(nil, "sh", "-c", "docker run --rm dokku/stack:latest tar -chf - --no-recursion /tmp /bin/sh /bin/bash $(docker run --rm dokku/stack:latest sh -c \"ldd /bin/sh /bin/bash | grep -o '/[^ :]*\\.so[^ ]*' | sort -u\") >"+file); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	k.forget(t, file)
	k.whole(t, "--from", file)
	span := time.Since(began)
	for range 12 {
		// Another file each time, so that there is something to do.
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(make([]byte, 10240)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		k.forget(t, file)
		cmd := k.command("--from", file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		moment := rand.N(span)
		time.Sleep(moment)
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		k.after(t, moment.String())
	}
	k.whole(t, "--from", file)
}

// forget removes the image that the tar was imported as at the end of the test: that of an hour is kept for others.
func (k *stackKiller) forget(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	base := fmt.Sprintf("dokku/stack-base:%x", sha256.Sum256(data))[:len("dokku/stack-base:")+16]
	k.t.Cleanup(func() { _ = k.p.run(nil, "docker", "image", "rm", base) }) // it may not have come to that
}

// after looks at what there is right after a death.
func (k *stackKiller) after(t *testing.T, moment string) {
	t.Helper()
	err := k.p.run(nil, "docker", "image", "inspect", k.ref)
	if (err == nil) != k.made {
		t.Errorf("killed at %s: the image is there: %v, before it was %v", moment, err == nil, k.made)
	}
	if err == nil {
		if err := k.p.run(nil, "docker", "run", "--rm", k.ref, "/exec", "/bin/sh", "-c", "exit 0"); err != nil {
			t.Errorf("killed at %s: what is left of the stack does not run: %v", moment, err)
		}
	}
	for deadline := time.Now().Add(worldPatience); ; time.Sleep(50 * time.Millisecond) {
		left := k.p.marked()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("killed at %s: %q", moment, left)
			return
		}
	}
}

// whole makes the stack to the end, and looks for what is left of those before.
func (k *stackKiller) whole(t *testing.T, args ...string) {
	t.Helper()
	if out, err := k.command(args...).CombinedOutput(); err != nil {
		t.Fatalf("stack:create %q: %v\n%s", args, err, out)
	}
	k.made = true
	out, err := k.command(args...).Output()
	if err != nil || !strings.Contains(string(out), "is up to date") {
		t.Errorf("a second time: got %q, %v", out, err)
	}
	k.after(t, "the end")
	tmp, err := os.ReadDir(k.tmp)
	if err != nil || len(tmp) > 0 {
		t.Errorf("got %v, %v in the directory of temporary files", tmp, err)
	}
	hidden, err := filepath.Glob(k.cache + "/.*")
	if err != nil || len(hidden) > 0 {
		t.Errorf("got %q, %v in the cache", hidden, err)
	}
	// One to look into an image with is anybody's who builds, and goes when it is old.
	containers, err := k.p.command(nil, "docker", "ps", "-a", "--filter", "label=com.dokku.instance="+k.p.root, "--format", `{{.ID}} {{.Label "com.dokku.container-type"}}`).Output()
	if rest := regexp.MustCompile(`(?m)^\w+ look\n`).ReplaceAll(containers, nil); err != nil || len(rest) > 0 {
		t.Errorf("got the containers %s, %v", rest, err)
	}
	notes, err := os.ReadDir(filepath.Join(k.p.lib, "data/stack"))
	if err != nil || len(notes) > 0 {
		t.Errorf("got the notes %v, %v of images that were replaced", notes, err)
	}
}

// TestStackAtOnce has several stack:create at the same time: they come one after another.
func TestStackAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("makes images: not in short mode")
	}
	t.Parallel()
	p := newPlatform(t)
	ref := fmt.Sprintf("dokku/stack:at-once-%d", os.Getpid())
	outs := make(chan string, 3)
	for range cap(outs) {
		go func() {
			out, err := p.command(nil, p.bin+"/dokku", "stack:create", ref, "--from", "dokku/stack:latest").CombinedOutput()
			outs <- fmt.Sprint(string(out), err)
		}()
	}
	var got []string
	for range cap(outs) {
		got = append(got, <-outs)
	}
	made := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.Contains(s, "Made "+ref) })
	fresh := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.Contains(s, ref+" is up to date") })
	if len(made) != 1 || len(fresh) != cap(outs)-1 {
		t.Errorf("got %q, want one that makes it and others that find it", got)
	}
	if err := p.run(nil, "docker", "image", "rm", ref); err != nil {
		t.Error(err)
	}
}
