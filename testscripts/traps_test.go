package testscripts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sh runs a script in the pusher's repository.
func (g *pusher) sh(t *testing.T, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-euc", script)
	cmd.Dir, cmd.Env = g.dir, append(os.Environ(), g.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// TestRepositoryTraps pushes repositories that were made to have files of the host read, written or run: what is outside
// the checkout is not read, and what only looks odd is deployed.
func TestRepositoryTraps(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	p := newPlatform(t)
	secret := p.dir + "/work/secret"
	if err := os.MkdirAll(p.dir+"/work", 0o755); err != nil {
		t.Fatal(err)
	}
	const content = "web: echo of-the-host"
	if err := os.WriteFile(secret, []byte(content+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	python := "rm Dockerfile; printf 'web: python3 -m http.server $PORT\\n' >Procfile; printf served >index.html; "
	// A tree with an entry that no git program would add.
	raw := func(mode, name string) string {
		return "git add .; git commit -qm x; blob=$(echo x | git hash-object -w --stdin); " +
			"tree=$( (git cat-file tree HEAD^{tree}; printf '" + mode + " " + name + "\\0'; echo $blob | perl -ne 'chomp; print pack \"H*\", $_') | git hash-object -t tree --literally -w --stdin); " +
			"git update-ref HEAD $(git commit-tree -m x $tree); exit 0"
	}
	traps := []struct{ name, script, want string }{ // want is a part of the refusal, "" when it is to be deployed
		{"dockerfile-link", "ln -sf " + secret + " Dockerfile", "its Dockerfile is not a regular file"},
		{"dockerfile-link-data", "ln -sf " + p.root + "/dokkurc Dockerfile", "its Dockerfile is not a regular file"},
		{"dockerignore-link", "ln -s " + secret + " .dockerignore", "cannot"},
		{"our-dockerfile-link", "ln -s " + secret + " .dokku.Dockerfile", ""},
		{"app-json-link", "ln -s " + secret + " app.json", "cannot use app.json of the source: it is not a regular file"},
		{"checks-link", "ln -s " + p.root + "/dokkurc CHECKS", "cannot use CHECKS of the source: it is not a regular file"},
		{"procfile-link", python + "ln -sf " + secret + " Procfile", "cannot"},
		{"procfile-huge", python + "head -c 3000000 /dev/zero | tr '\\0' 'x' >>Procfile", "cannot"},
		{"procfile-crlf", python + "printf 'web: python3 -m http.server $PORT\\r\\nother: sleep 9' >Procfile", ""},
		{"option-names", "touch -- -rf --help '$(id)' 'a b'", ""},
		{"git-file", raw("100644", ".git"), "cannot check out"},
		{"dot-dot", raw("100644", "../escaped"), "cannot check out"},
		{"submodule-outside", "printf '[submodule \"x\"]\\n\\tpath = ../x\\n\\turl = ./y\\n' >.gitmodules", ""},
		{"submodule-name", "printf '[submodule \"../../x\"]\\n\\tpath = x\\n\\turl = ./y\\n' >.gitmodules; mkdir x; git update-index --add --cacheinfo 160000," +
			strings.Repeat("1", 40) + ",x", "cannot check out"},
		{"link-to-root", python + "ln -s / root; ln -s " + p.dir + " host", ""},
	}
	tried, survived := 0, 0
	for _, trap := range traps {
		tried++
		g := newPusher(t, p, trap.name, "")
		g.sh(t, "printf served >version; "+trap.script+"; git add . 2>/dev/null || :; git commit -qm trap 2>/dev/null || git rev-parse -q --verify HEAD")
		out, err := g.push()
		shown := strings.Contains(out, "of-the-host") || strings.Contains(out, p.user+"/dokku")
		after, readErr := os.ReadFile(secret)
		switch {
		case (err == nil) != (trap.want == "") || !strings.Contains(out, trap.want):
			t.Errorf("%s: got %v, want %q\n%.3000s", trap.name, err, trap.want, out)
			continue
		case readErr != nil || string(after) != content+"\n":
			t.Errorf("%s: the host's file is %q, %v", trap.name, after, readErr)
			continue
		case shown || strings.Contains(out, "panic"):
			t.Errorf("%s: content of the host is shown\n%.3000s", trap.name, out)
			continue
		case err == nil:
			if body, err := g.get(client(false)); err != nil || body != "served" {
				t.Errorf("%s: got %q, %v", trap.name, body, err)
				continue
			}
		}
		survived++
	}
	if found := p.world(t); len(found) > 0 {
		t.Errorf("%q", found)
	}
	t.Logf("%d repositories tried, %d survived", tried, survived)
}

// daemonOf serves the repositories below dir by git's own protocol, and returns the start of their addresses.
func (p *platform) daemonOf(t *testing.T, dir string) string {
	t.Helper()
	ports, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	libexec, err := exec.Command("git", "--exec-path").Output()
	if err == nil {
		err = p.daemon(nil, ports[0], strings.TrimSpace(string(libexec))+"/git-daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", fmt.Sprintf("--port=%d", ports[0]), "--base-path="+dir, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("git://127.0.0.1:%d", ports[0])
}

// TestSubmodules pushes submodules that are there, moved, nested, gone, and those by which a repository would read the
// host's or run something on it.
func TestSubmodules(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	p := newPlatform(t)
	served := t.TempDir()
	base := p.daemonOf(t, served)
	canary := p.dir + "/work/canary"
	// The settings of git are not what other tests allow, but what a host has.
	if err := errors.Join(os.MkdirAll(p.dir+"/work", 0o777), os.Chmod(p.dir+"/work", 0o777),
		os.WriteFile(p.root+"/.gitconfig", []byte("[safe]\n\tdirectory = *\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	maker := newPusher(t, p, "maker", "")
	repo := func(name, text, more string) {
		t.Helper()
		maker.sh(t, "git init -qb master "+filepath.Join(served, name)+"; cd "+filepath.Join(served, name)+"; printf '"+text+"' >version; "+more+"git add .; git commit -qm x")
	}
	repo("inner", "inner", "")
	repo("one", "one", "")
	repo("two", "two", "")
	repo("outer", "outer", "git submodule --quiet add "+base+"/inner deeper; ")
	link := func(path, url, rev string) string {
		return fmt.Sprintf("printf '[submodule \"%s\"]\\n\\tpath = %s\\n\\turl = %s\\n' >.gitmodules; git add .gitmodules; git update-index --add --cacheinfo 160000,%s,%s; ", path, path, url, rev, path)
	}
	head := func(name string) string {
		t.Helper()
		out, err := p.command(maker.env, "git", "-C", filepath.Join(served, name), "-c", "safe.directory=*", "rev-parse", "HEAD").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	bogus := strings.Repeat("12", 20)
	if err := p.run(nil, p.bin+"/dokku", "apps:create", "private"); err != nil {
		t.Fatal(err)
	}
	copied := "printf 'FROM scratch\\nCOPY server version /\\nCOPY %s /version\\nCMD [\"/server\"]\\n' >Dockerfile; "
	cases := []struct{ name, script, want string }{ // want is what is served, or with ! in front a part of the refusal
		{"fine", link("sub", base+"/one", head("one")) + fmt.Sprintf(copied, "sub/version"), "one"},
		{"nested", link("sub", base+"/outer", head("outer")) + fmt.Sprintf(copied, "sub/deeper/version"), "inner"},
		{"moved", link("sub", base+"/one", head("one")) + fmt.Sprintf(copied, "sub/version"), "one"},
		{"moved", link("sub", base+"/two", head("two")), "two"},
		{"missing", link("missing-sub", base+"/one", bogus), "!missing-sub"},
		{"relative", link("relative-sub", "../private", bogus), "!relative-sub"},
		{"file", link("file-sub", "file://"+served+"/one", head("one")), "!file-sub"},
		{"path", link("path-sub", served+"/one", head("one")), "!path-sub"},
		{"ext", link("ext-sub", "ext::sh -c touch%% "+canary, bogus), "!ext-sub"},
		{"option", link("option-sub", "--upload-pack=touch "+canary, bogus), "!option-sub"},
		{"nowhere", link("nowhere-sub", "git://127.0.0.1:1/x", bogus), "!nowhere-sub"},
	}
	tried, survived := 0, 0
	pushers := map[string]*pusher{}
	for _, c := range cases {
		g := pushers[c.name]
		if g == nil {
			g = newPusher(t, p, c.name, "")
			g.sh(t, "printf own >version")
			pushers[c.name] = g
		}
		g.sh(t, c.script+"git add Dockerfile server version; git commit -qm x")
		tried++
		out, err := g.push()
		if wanted, refused := strings.CutPrefix(c.want, "!"); refused {
			if err == nil || !strings.Contains(out, "cannot check out") || !strings.Contains(out, wanted) || strings.Contains(out, "Building") {
				t.Errorf("%s: got %v, want a refusal that names %s\n%.2000s", c.name, err, wanted, out)
				continue
			}
		} else if body, getErr := g.get(client(false)); err != nil || getErr != nil || body != c.want {
			t.Errorf("%s: got %v, %q (%v), want %q\n%.2000s", c.name, err, body, getErr, c.want, out)
			continue
		}
		survived++
	}
	if _, err := os.Lstat(canary); err == nil {
		t.Error("the canary is there")
	}
	t.Logf("%d submodules tried, %d survived", tried, survived)
}
