package dockerapi_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// The labels of an image decide what nginx is told, so no Dockerfile has a say in ours.
func TestBuildLabels(t *testing.T) {
	if testing.Short() {
		t.Skip("builds with the engine")
	}
	engine, err := dockerapi.New(settings.Settings{Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	const evil = "FROM scratch\nLABEL " + dockerapi.LabelSigil + "=ZXZpbA==\n"
	labels := map[string]string{dockerapi.LabelSigil: "", dockerapi.LabelChecks: `a "b" \ $c`, dockerapi.LabelBuilder: "dockerfile"}
	for name, text := range map[string]string{
		"plain":     evil + "CMD x\n",
		"swallowed": evil + "CMD exec x \\\n",
		"no-end":    evil + "CMD exec x \\",
		"comment":   evil + "CMD exec x \\\n# all\n\n",
		"escape":    "# escape=`\n" + evil + "CMD exec x `\n",
		"onbuild":   evil + "ONBUILD \\\n",
	} {
		for _, builder := range []string{"0", "1"} {
			build(t, engine, name+"-"+builder, text, labels, "DOCKER_BUILDKIT="+builder)
		}
		build(t, engine, name+"-own", text, labels, "DOCKER_BUILDKIT=0", "--isolation=default") // which only docker's own command knows
	}
}

// build builds a Dockerfile; where that works the image has the labels.
func build(t *testing.T, engine *dockerapi.Engine, name, text string, labels map[string]string, env string, options ...string) {
	t.Helper()
	dir, tag := t.TempDir(), "dokku-build-labels/"+name
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := engine.BuildDockerfile(t.Context(), dockerapi.BuildSpec{App: "labels", Dir: dir, Dockerfile: "Dockerfile", Tag: tag, Labels: maps.Clone(labels),
		Options: options, Env: append(os.Environ(), env)}, &out)
	names, listErr := engine.Names(t.Context(), "dokku-build-labels/*")
	if listErr != nil {
		t.Fatal(listErr)
	}
	for _, n := range names {
		if dockerapi.Passing(n.Tag) || err != nil && n.Repository == tag {
			t.Errorf("%s: left %s:%s", name, n.Repository, n.Tag)
		}
	}
	if err != nil {
		t.Logf("%s: %v", name, err) // refused is as good
		return
	}
	image, err := engine.Image(t.Context(), tag)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range labels {
		if got := image.Labels[key]; got != want {
			t.Errorf("%s: label %s is %q, want %q\n%s", name, key, got, want, out.String())
		}
	}
	if err := engine.RemoveImage(t.Context(), tag); err != nil {
		t.Error(err)
	}
}
