package dockeroptions_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockeroptions"
)

// powerful are options that give a container power over the host, in the ways that they can be written.
func powerful() []string {
	return []string{
		"-v /:/host", "-v/:/host", "-v=/:/host", "--volume=/:/host", "--volume /:/host", "--mount type=bind,src=/,dst=/host",
		"--privileged", "--privileged=true", "--pid=host", "--pid host", "--device /dev/sda", "--device=/dev/sda", "--cap-add SYS_ADMIN",
		"--cap-add=ALL", "-v /var/run/docker.sock:/s", "--security-opt apparmor=unconfined", "--network host", "--network=host", "--net=host",
		"--network container:db", "--volumes-from db", "--ipc=host", "--userns=host", "--uts=host", "--cgroup-parent=/x", "--runtime=x",
		"--device-cgroup-rule=a", "--env-file /etc/shadow", "--memory 1g --privileged", "--memory=1g -v /:/h", "--init --privileged", "--init=true --privileged",
		"-itv /:/h", "-e A=1 --privileged", "--build-arg A=1 --secret id=a,src=/etc/shadow", "--read-only /:/x", "--ssh default",
	}
}

func TestHarmless(t *testing.T) {
	t.Parallel()
	for _, option := range powerful() {
		if dockeroptions.Harmless(option) {
			t.Errorf("%q: taken for harmless", option)
		}
		if !dockeroptions.Warns(option, "/var/lib/dokku/data/storage") {
			t.Errorf("%q: no warning", option)
		}
	}
	for _, option := range []string{"--memory 1g", "--memory=1g", "-m 1g", "-m1g", "--env A=1", "-e 'A=1 2'", "--label a=b", "--cpus=2 --memory=1g",
		"--init", "--build-arg A=1", "--user 1000", "--memory --privileged"} {
		if !dockeroptions.Harmless(option) || dockeroptions.Warns(option, "/s") {
			t.Errorf("%q: not taken for harmless", option)
		}
	}
	for _, option := range []string{"-p 8080:5000", "--link db:db", "-v data:/data", "-v /s/app:/data", "--network inner", "-v /data"} {
		if dockeroptions.Harmless(option) && option != "-v /data" || dockeroptions.Warns(option, "/s") && option != "-v /data" {
			t.Errorf("%q: harmless %v, warned of %v", option, dockeroptions.Harmless(option), dockeroptions.Warns(option, "/s"))
		}
	}
	for _, option := range []string{"--label com.dokku.x=1", "-lcom.dokku.x=1", "-l=com.dokku.x=1", "", "'", "image", "--memory", "-v /s/../etc:/x"} {
		if dockeroptions.Harmless(option) {
			t.Errorf("%q: taken for harmless", option)
		}
	}
}

// TestBounding takes options that a container beside the engine's socket may have from all others.
func TestBounding(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "--memory=1g --cpus 2 -m1g -c=4 --pids-limit 90": "", "--label a=b -l c=d --network inner --add-host a:10.0.0.1": "",
		"--ulimit nofile=9 --dns 10.0.0.2 -h me --shm-size=64m": "",
		"--env A=1": "--env", "-eA=1": "-e", "--memory 1g --user 0:998": "--user", "-u0": "-u", "-w /x": "-w",
		"--workdir=/x": "--workdir", "--memory --cpus 2": "2", "--init": "--init", "image": "image", "--": "--",
		"--memory": "--memory", "--label com.dokku.x=1": "--label com.dokku", "-l=com.dokku.x=1": "-l com.dokku",
	} {
		if got := dockeroptions.Bounding(strings.Fields(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for _, option := range append(powerful(), "--group-add 998", "--entrypoint x", "--label-file x", "-it", "--read-only") {
		words, err := shellquote.Split(option)
		if network := strings.HasPrefix(option, "--net"); err != nil || !network && dockeroptions.Bounding(words) == "" {
			t.Errorf("%q: taken, %v", option, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, option := range append(powerful(), "-p 80:80") {
		if err := dockeroptions.Check(option); err != nil {
			t.Errorf("%q: %v", option, err)
		}
	}
	for _, option := range []string{"", " ", "busybox", "-", "--", "-- x", "-e A=1\n--privileged", "-e 'A", "\"-v /:/x", "-e A\x00"} {
		if dockeroptions.Check(option) == nil {
			t.Errorf("%q: accepted", option)
		}
	}
}

// FuzzHarmless looks for an option that is taken for harmless and has a word in it that docker would take for one that is
// not.
func FuzzHarmless(f *testing.F) {
	for _, option := range powerful() {
		f.Add(option)
	}
	f.Fuzz(func(t *testing.T, option string) {
		if dockeroptions.Check(option) != nil || !dockeroptions.Harmless(option) {
			return
		}
		words, err := shellquote.Split(option)
		if err != nil || len(words) == 0 || !strings.HasPrefix(words[0], "-") {
			t.Errorf("%q: taken for harmless, and is no option", option)
		}
		for _, word := range []string{"-v", "-p", "-i", "-t", "-d"} {
			if strings.HasPrefix(words[0], word) {
				t.Errorf("%q: taken for harmless", option)
			}
		}
	})
}

// FuzzBounding reads any words: behind those that are taken another option is seen as one.
func FuzzBounding(f *testing.F) {
	f.Add("--memory=1g -m 1g -l=a=b --ulimit nofile=9")
	for _, option := range powerful() {
		f.Add(option)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := strings.Fields(text)
		if dockeroptions.Bounding(words) == "" && dockeroptions.Bounding(append(words, "--user=0")) != "--user" {
			t.Errorf("%q: another option is not seen behind it", text)
		}
	})
}

func TestEdit(t *testing.T) {
	t.Parallel()
	a := app.App{Name: "one", Root: t.TempDir()}
	if err := os.Mkdir(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	add := func(option string) func([]string) ([]string, error) {
		return func(old []string) ([]string, error) { return append(old, option), nil }
	}
	for _, option := range []string{"-v b:/b", "-v a:/a", "-v b:/b"} {
		if err := dockeroptions.Edit(t.Context(), a, dockeroptions.In("deploy", "run"), add(option)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := dockeroptions.Read(a, dockeroptions.Scope{Phase: "deploy"}); err != nil || !slices.Equal(got, []string{"-v a:/a", "-v b:/b"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := dockeroptions.Read(a, dockeroptions.Scope{Phase: "build"}); err != nil || got != nil {
		t.Errorf("build: got %q, %v", got, err)
	}
	none := func([]string) ([]string, error) { return nil, nil }
	if err := dockeroptions.Edit(t.Context(), a, dockeroptions.In("run"), none); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(a.Path("DOCKER_OPTIONS_RUN")); !os.IsNotExist(err) {
		t.Errorf("a file without options: got %v", err)
	}
	web, api := dockeroptions.Scope{Phase: "deploy", Process: "web"}, dockeroptions.Scope{Phase: "deploy", Process: "api"}
	for _, option := range []string{"-p 80:5000", "--init"} {
		if err := dockeroptions.Edit(t.Context(), a, []dockeroptions.Scope{web, api}, add(option)); err != nil {
			t.Fatal(err)
		}
	}
	if err := dockeroptions.Edit(t.Context(), a, []dockeroptions.Scope{api}, none); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(a.Path(dockeroptions.ProcessFile)); err != nil || string(got) != "web --init\nweb -p 80:5000\n" {
		t.Errorf("of processes: got %q, %v", got, err)
	}
	if got, err := dockeroptions.Read(a, web); err != nil || !slices.Equal(got, []string{"--init", "-p 80:5000"}) {
		t.Errorf("web: got %q, %v", got, err)
	}
	if got, err := dockeroptions.Processes(a); err != nil || !slices.Equal(got, []string{"web"}) {
		t.Errorf("processes: got %q, %v", got, err)
	}
	for text, want := range map[string]int{"build,deploy,run": 3, "run": 1, "run,run": 1, "": 0, "x": 0, "run,": 0} {
		if got, err := dockeroptions.ParsePhases(text); len(got) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}
