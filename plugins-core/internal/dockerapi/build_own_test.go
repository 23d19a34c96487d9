package dockerapi

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The bounds of docker's own command can be lowered by options, and not raised.
func TestBoundOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		given  string
		memory int64
		cpus   float64
		want   string
	}{
		{"", 0, 0, ""},
		{"--memory=1g", 0, 0, ""},
		{"", 1 << 20, 0.5, "--memory=1048576 --memory-swap=1048576 --cpu-period=100000 --cpu-quota=50000"},
		{"--memory=1g --memory-swap=-1", 1 << 20, 0, "--memory=1048576 --memory-swap=1048576"},
		{"--memory 1k", 1 << 20, 0, "--memory=1024 --memory-swap=1024"},
		{"-m1g -m=1k --memory-swap 2k", 1 << 20, 0, "--memory=1024 --memory-swap=2048"},
		{"-m 1k --memory 1g", 1 << 20, 0, "--memory=1048576 --memory-swap=1048576"},
		{"--memory=much --memory", 1 << 20, 0, "--memory=1048576 --memory-swap=1048576"},
		{"--cpus=0.5", 0, 2, "--cpus=0.5"},
		{"--cpus 8", 0, 2, "--cpus=2"},
		{"--cpus 0", 0, 2, "--cpus=2"},
		{"--cpu-quota 1000 --cpu-period=2000", 0, 1, "--cpu-period=2000 --cpu-quota=1000"},
		{"--cpu-quota 9000 --cpu-period=2000", 0, 1, "--cpu-period=2000 --cpu-quota=2000"},
	} {
		if got := strings.Join(boundOptions(c.memory, c.cpus, strings.Fields(c.given)), " "); got != c.want {
			t.Errorf("%q, %d, %v: got %q, want %q", c.given, c.memory, c.cpus, got, c.want)
		}
	}
}

// Values of options may be secret.
func TestWithOptions(t *testing.T) {
	t.Parallel()
	got := withOptions([]string{"--build-arg", "TOKEN=hidden", "--build-arg=TOKEN=hidden", "-eTOKEN=hidden", "-e=hidden", "--init"})
	if want := " (options of plugins: --build-arg --build-arg -e -e --init)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, _, err := ParseBuildOptions([]string{"--build-arg", "=hidden"}, nil); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}

// A registry says no, and so may a command that the source chose, which is another thing.
func TestRefusedByRegistry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths":{"example.com":{}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &imageBuild{s: BuildSpec{Env: []string{"DOCKER_CONFIG=" + dir}}}
	refused := errors.New("cannot build the image: pull access denied for x")
	got := []bool{b.refusedByRegistry(nil), b.refusedByRegistry(refused), b.refusedByRegistry(&BuildFailure{Status: 1, err: refused}), b.refusedByRegistry(errors.New("no"))}
	if want := []bool{false, true, false, false}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
