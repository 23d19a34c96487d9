package testscripts

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestConfigValues sets random values and finds them to the byte: by config:get, by a shell that reads config:export, in
// containers of run and of the app after its restart, by enter, and after a backup, the app's end and the import. A tenth
// goes over ssh. DOKKU_TEST_FULL makes it 10,000 values.
func TestConfigValues(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a platform: not in short mode")
	}
	t.Parallel()
	const size = 50 // values of one command
	batches := 4
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		batches = 200
	}
	p := newPlatform(t)
	// A name of its own: images have those of apps, and two runs may share an engine.
	v := &values{p: p, t: t, app: fmt.Sprintf("values%d", os.Getpid()), ssh: filepath.Join(p.dir, "values-ssh")}
	if err := p.sshConfig(v.ssh, nil); err != nil {
		t.Fatal(err)
	}
	v.do("apps:create", v.app)
	t.Cleanup(func() {
		if err := p.run(nil, p.bin+"/dokku", "apps:destroy", "--force", v.app); err != nil {
			t.Error(err)
		}
	})
	tree := t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "Procfile"), []byte("web: env -0 >environ; exec python3 -m http.server $PORT\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tar := p.command(nil, "sh", "-c", "tar -cC "+tree+" . | "+p.bin+"/dokku receive "+v.app)
	if out, err := tar.CombinedOutput(); err != nil {
		t.Fatalf("deploy: %v\n%s", err, out)
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 5))
	equal := 0
	for batch := range batches {
		want := map[string]string{}
		for i := range size {
			want[fmt.Sprintf("K%d", i)] = randomValue(random, i == 0)
		}
		v.set(want, batch%10 == 0)
		for where, got := range v.everywhere(want) {
			for key, value := range want {
				if got[key] != value {
					t.Errorf("seed %d: %s: %s is %.100q, want %.100q", seed, where, key, got[key], value)
				}
			}
		}
		equal += size
		if t.Failed() {
			return
		}
	}
	t.Logf("seed %d: %d values equal", seed, equal)
}

type values struct {
	p   *platform
	t   *testing.T
	app string
	ssh string
}

// do runs dokku and returns its output.
func (v *values) do(args ...string) string {
	v.t.Helper()
	var diag bytes.Buffer
	cmd := v.p.command(nil, append([]string{v.p.bin + "/dokku"}, args...)...)
	cmd.Stderr = &diag
	out, err := cmd.Output()
	if err != nil {
		v.t.Fatalf("%.100q: %v\n%.2000s", args, err, diag.Bytes())
	}
	return string(out)
}

// set sets the values by one command, over ssh without what does not fit into a command line there.
func (v *values) set(want map[string]string, overSSH bool) {
	v.t.Helper()
	args := []string{"config:set", v.app}
	for key, value := range want {
		args = append(args, key+"="+value)
	}
	if !overSSH {
		v.do(args...)
		return
	}
	for chunk := range slices.Chunk(args[2:], 10) {
		words := slices.Clone(args[:2])
		for _, word := range chunk {
			words = append(words, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
		}
		words[0] = "config:set --no-restart"
		if out, err := v.p.command(nil, "ssh", "-F", v.ssh, "dokku", strings.Join(words, " ")).CombinedOutput(); err != nil {
			v.t.Fatalf("over ssh: %v\n%.2000s", err, out)
		}
	}
	v.do("ps:restart", v.app)
}

// everywhere returns the values as they are found in each place.
func (v *values) everywhere(want map[string]string) map[string]map[string]string {
	v.t.Helper()
	got := map[string]string{}
	for key := range want {
		got[key] = strings.TrimSuffix(v.do("config:get", v.app, key), "\n")
	}
	places := map[string]map[string]string{"config:get": got}
	exported := func(place string) {
		shell := v.p.command(nil, "env", "-i", "PATH="+os.Getenv("PATH"), "sh", "-c", `eval "$(cat)" && exec env -0`)
		shell.Stdin = strings.NewReader(v.do("config:export", v.app))
		out, err := shell.Output()
		if err != nil {
			v.t.Fatalf("%s: %v", place, err)
		}
		places[place] = environ(out)
	}
	exported("config:export")
	places["run"] = environ([]byte(v.do("run", v.app, "env", "-0")))
	container, err := os.ReadFile(filepath.Join(v.p.root, v.app, "CONTAINER"))
	if err != nil {
		v.t.Fatal(err)
	}
	out, err := v.p.command(nil, "docker", "exec", strings.TrimSpace(string(container)), "cat", "/app/environ").Output()
	if err != nil {
		v.t.Fatalf("the app: %v", err)
	}
	places["the app"] = environ(out)
	places["enter"] = environ([]byte(v.do("enter", v.app, "web", "env", "-0")))
	file := filepath.Join(v.p.root, "values.tar")
	v.do("backup:export", file)
	if err := os.Remove(filepath.Join(v.p.root, v.app, "ENV")); err != nil {
		v.t.Fatal(err)
	}
	v.do("backup:import", "-f", file)
	exported("the backup")
	return places
}

func environ(data []byte) map[string]string {
	got := map[string]string{}
	for line := range bytes.SplitSeq(data, []byte{0}) {
		if key, value, ok := strings.Cut(string(line), "="); ok {
			got[key] = value
		}
	}
	return got
}

// randomValue is made of what shells, files and JSON take for something else, and of any bytes; now and then it is long.
func randomValue(random *rand.Rand, long bool) string {
	pieces := []string{"'", "\"", " ", "  ", "\n", "\r", "\t", "$", "$HOME", "${x}", "`id`", "$(id)", "\\", "\\n", "!", "#", "=", "é", "日本", "a", "%", "*", "&", ";",
		"\x01", "\x7f", "export A=b\n", "<", "{{.}}", "\ufeff", "\xff", "\xfe\xff", "\xc3", "\xe2\x82", "dokku-base64:"}
	if long {
		return strings.Repeat(pieces[random.IntN(len(pieces))], 64<<10/10)
	}
	var b strings.Builder
	for range random.IntN(12) {
		if random.IntN(4) == 0 {
			b.WriteByte(byte(1 + random.IntN(255)))
		} else {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
	}
	return b.String()
}
