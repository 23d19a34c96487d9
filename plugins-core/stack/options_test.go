package stack

import (
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
)

// TestShown leaves out of a URL what may be secret.
func TestShown(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"debootstrap": "debootstrap", "rootfs.tar": "rootfs.tar", "user@host/x?y": "user@host/x?y",
		"https://host/a/b.tar":                          "https://host/a/b.tar",
		"https://token@host:8443/a%2Fb.tar?signature=x": "https://host:8443/a%2Fb.tar",
		"http://user:secret@host/x.tar#secret":          "http://host/x.tar",
		"https://user:sec%ret@host/x.tar":               "https://...",
	} {
		if got := shown(from); got != want {
			t.Errorf("%q: got %q, want %q", from, got, want)
		}
	}
}

// TestReplaceable tells images of ours from what was built on one, which inherits all labels.
func TestReplaceable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ref, comment string
		labels       map[string]string
		want         bool
	}{
		"made here":                    {"dokku/stack:heavy", stackimage.MadeHere, nil, true},
		"made here, another name":      {"other:latest", stackimage.MadeHere, nil, true},
		"before there was a comment":   {"dokku/stack:heavy", "", map[string]string{stackimage.LabelContent: "x"}, true},
		"the same, another name":       {"other:latest", "", map[string]string{stackimage.LabelContent: "x"}, false},
		"built on a stack":             {"dokku/stack:heavy", "", map[string]string{stackimage.LabelContent: "x", stackimage.LabelName: "dokku/stack:latest"}, false},
		"built on a stack, BuildKit":   {"dokku/stack:heavy", "buildkit.dockerfile.v0", map[string]string{stackimage.LabelContent: "x"}, false},
		"nothing of ours":              {"dokku/stack:heavy", "", nil, false},
		"built on one of its own name": {"dokku/stack:heavy", "", map[string]string{stackimage.LabelContent: "x", stackimage.LabelName: "dokku/stack:heavy"}, false},
	} {
		if got := replaceable(&dockerapi.Image{Comment: c.comment, Labels: c.labels}, c.ref); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// TestRegistryName pulls plain words as they are.
func TestRegistryName(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"ubuntu": "ubuntu:latest", "ubuntu:22.04": "ubuntu:22.04", "buildstep": "progrium/buildstep:latest", "a/b": "a/b:latest"} {
		if got, err := dockerapi.ParseRef(registryName(word)); err != nil || got.Name != want {
			t.Errorf("%s: got %q, %v, want %q", word, got.Name, err, want)
		}
	}
}

// TestMadeWith tells the aliases of the default stack from stacks that were made under these names.
func TestMadeWith(t *testing.T) {
	t.Parallel()
	labels := map[string]string{stackimage.LabelName: childImage, stackimage.LabelFrom: "dokku/stack:latest"}
	own := map[string]string{stackimage.LabelName: childImage, stackimage.LabelFrom: "image"}
	for name, c := range map[string]struct {
		img  dockerapi.Image
		want bool
	}{
		"an alias":                        {dockerapi.Image{Comment: stackimage.MadeHere, Labels: labels}, true},
		"a stack of that name":            {dockerapi.Image{Comment: stackimage.MadeHere, Labels: own}, false},
		"what was built on such an alias": {dockerapi.Image{Labels: labels}, false},
		"an image of others":              {dockerapi.Image{}, false},
	} {
		if got := madeWith(&c.img, labels); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
