package testscripts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// policed is a platform with the example plugin that lets people do what a table says, three people and two apps.
type policed struct {
	*platform
	t       *testing.T
	plugins string
}

func newPoliced(t *testing.T, table string) *policed {
	t.Helper()
	p := newPlatform(t)
	work := filepath.Join(p.dir, "work")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(work, 0o755))
	must(os.CopyFS(work+"/plugins/policy", os.DirFS("../docs/examples/policy")))
	must(os.Chmod(work+"/plugins/policy/user-auth", 0o755))
	must(os.WriteFile(p.root+"/policy", []byte(table), 0o644))
	plugins, err := p.plugins(work)
	must(err)
	for _, app := range []string{"a", "b"} {
		must(p.run(nil, p.bin+"/dokku", "apps:create", app))
		must(p.run(nil, p.bin+"/dokku", "config:set", app, "SECRET=of-"+app))
	}
	q := &policed{platform: p, t: t, plugins: plugins}
	for _, name := range []string{"alice", "bob", "ops"} {
		must(p.run(nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", p.dir+"/"+name))
		must(p.run(nil, p.bin+"/sshcommand", "acl-add", p.user, name, p.dir+"/"+name+".pub"))
		p.key = p.dir + "/" + name
		must(p.sshConfig(p.dir+"/ssh_"+name, []string{"PLUGIN_PATH=" + plugins}))
	}
	return q
}

// ssh is what a line of that person comes to.
func (q *policed) ssh(name, line string) (string, error) {
	// One connection for all of one person: the policy is what is tested, not the handshake.
	cmd := q.command(nil, "ssh", "-F", q.dir+"/ssh_"+name, "-o", "ControlMaster=auto", "-o", "ControlPersist=20",
		"-o", "ControlPath="+q.dir+"/mux-"+name, "dokku", "--", line)
	cmd.Stdin = strings.NewReader("0000") // no more is wanted of a git server
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestPolicy asks for everything by every door: the table decides, and whether there is such an app cannot be told by
// who may not use it.
func TestPolicy(t *testing.T) {
	if testing.Short() {
		t.Skip("starts sshd and nginx: not in short mode")
	}
	t.Parallel()
	verbs := []string{"git-receive-pack %s", "git-upload-pack %s", "git-upload-archive %s", "config:get %s SECRET", "logs -n 5 %s", "run %s true",
		"ps:restart %s", "apps:destroy %s", "domains:add %s x.example.com"}
	allowed := "git-receive-pack git-upload-pack git-upload-archive config:get logs run"
	table := "ops * *\n"
	for _, verb := range strings.Fields(allowed) {
		table += "alice a " + verb + "\nbob b " + verb + "\n"
	}
	q := newPoliced(t, table)
	tried, agree := 0, 0
	for _, form := range verbs {
		for _, name := range []string{"alice", "bob", "ops"} {
			refusals := map[string]bool{}
			for _, app := range []string{"a", "b", "missing"} {
				verb, _, _ := strings.Cut(form, " ")
				want := name == "ops" || name == map[string]string{"a": "alice", "b": "bob"}[app] && strings.Contains(allowed, verb)
				out, err := q.ssh(name, fmt.Sprintf(form, app))
				got := !strings.Contains(out, "Access denied")
				tried++
				if got != want || !got && err == nil {
					t.Errorf("%s, %s, %s: got %v (%v), want %v\n%s", name, verb, app, got, err, want, out)
					continue
				}
				if agree++; !got {
					refusals[fmt.Sprint(err, out)] = true
				}
				if verb == "apps:destroy" && got && app != "missing" {
					if err := q.run(nil, q.bin+"/dokku", "apps:create", app); err == nil {
						_ = q.run(nil, q.bin+"/dokku", "config:set", app, "SECRET=of-"+app)
					}
				}
			}
			if len(refusals) > 1 {
				t.Errorf("%s, %s: refusals differ: %v", name, form, refusals)
			}
		}
	}
	t.Logf("%d decisions, %d agree with the table", tried, agree)
}

// TestPolicySpellings has alice, who may do all but destroy and use her own app only, try every way around that.
func TestPolicySpellings(t *testing.T) {
	if testing.Short() {
		t.Skip("starts sshd and nginx: not in short mode")
	}
	t.Parallel()
	table := "ops * *\n"
	for _, verb := range strings.Fields("git-receive-pack git-upload-pack config:get config:set logs run apps:create events") {
		table += "alice a " + verb + "\n"
	}
	q := newPoliced(t, table)
	spellings := []string{"apps:destroy b --force", "--app b apps:destroy --force", "--force apps:destroy b", "APPS:DESTROY b --force",
		"apps:destroy  b  --force", "apps:destroy 'b' --force", `"apps":destroy b --force`, "delete b --force", "--force delete a", "apps:destroy --force b",
		"apps:destroy a --force", "--app a --force delete", "plugin:trigger app-destroy b", "-- apps:destroy b", "-apps:destroy b", "'' apps:destroy b",
		`apps:destr"o"y b --force`, `apps:destro\y b --force`, "' apps:destroy' b", "'apps:destroy b' --force", "--quiet --trace --force apps:destroy b",
		"git-hook b", "core-hook apps /x/app-destroy b", "config:get --global SECRET", "config:get --no-restart b SECRET", "config:get --shell b SECRET",
		"config:set-norestart b SECRET=x", "--app b config:get SECRET", "logs --num a b", "logs -n 1 b", "git-upload-pack /b", "git-upload-pack '~/b.git'",
		"git-receive-pack \"'/b'\"", "git-upload-pack " + q.root + "/b", "DOKKU_AUTHORISED=1 apps:destroy b", "apps:destroy b;true", "run --no-tty b true",
		"logs --ps a b", "help;apps:destroy b", "$(apps:destroy b)", "config:get a/../b SECRET", "scheduler-docker-local:retire 0 b"}
	refused := 0
	for _, line := range spellings {
		out, err := q.ssh("alice", line)
		if err == nil || strings.Contains(out, "of-b") {
			t.Errorf("%s: got %v\n%s", line, err, out)
			continue
		}
		refused++
	}
	for _, app := range []string{"a", "b"} {
		out, err := q.command(nil, q.bin+"/dokku", "config:get", app, "SECRET").CombinedOutput()
		if string(out) != "of-"+app+"\n" || err != nil {
			t.Errorf("%s is not what it was: %q, %v", app, out, err)
		}
	}
	for line, want := range map[string]string{"config:get --no-restart a SECRET": "of-a\n", "--app a config:get SECRET": "of-a\n", "config:set-norestart a X=1": "X",
		"git-upload-pack /a.git": "", "logs -n 5 a": "container not found"} {
		if out, err := q.ssh("alice", line); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: got %q, %v; it is allowed", line, out, err)
		}
	}
	t.Logf("%d spellings, %d refused", len(spellings), refused)
}

// TestPolicyOfHooks pushes as one who may do nothing but push: what hooks call on the way is not hers to be allowed.
func TestPolicyOfHooks(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	q := newPoliced(t, "alice a git-receive-pack\n")
	dir := q.dir + "/work/plugins/inner"
	hook := "#!/bin/sh\nset -e\ndokku config:get b SECRET\ndokku config:set --no-restart \"$1\" INNER=1\n"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/pre-deploy", []byte(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	g := newPusher(t, q.platform, "a", "")
	g.env = append(g.env, "GIT_SSH_COMMAND=ssh -F "+q.dir+"/ssh_alice")
	g.commit(t, "one")
	if out, err := g.push(); err != nil || !strings.Contains(out, "of-b") {
		t.Errorf("got %v\n%s", err, out)
	}
	if out, err := q.ssh("alice", "config:get a INNER"); err == nil || !strings.Contains(out, "Access denied") {
		t.Errorf("config:get: got %q, %v", out, err)
	}
}
