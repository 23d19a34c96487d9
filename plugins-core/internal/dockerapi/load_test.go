package dockerapi

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestParseRef(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("ab", 32)
	for text, want := range map[string]Ref{
		"alpine":                  {Name: "alpine:latest", Domain: "docker.io", Path: "library/alpine"},
		"me/app:v1":               {Name: "me/app:v1", Domain: "docker.io", Path: "me/app"},
		"docker.io/dokku/app":     {Name: "dokku/app:latest", Domain: "docker.io", Path: "dokku/app"},
		"host:5000/a/b:v1":        {Name: "host:5000/a/b:v1", Domain: "host:5000", Path: "a/b"},
		"host:5000/a@" + digest:   {Name: "host:5000/a@" + digest, Domain: "host:5000", Path: "a", Pinned: true},
		"docker.io/library/a:x.y": {Name: "a:x.y", Domain: "docker.io", Path: "library/a"},
	} {
		got, err := ParseRef(text)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
		if repo := got.Repository(); repo != "alpine" && repo != "me/app" && repo != "dokku/app" && repo != "host:5000/a/b" && repo != "host:5000/a" && repo != "a" {
			t.Errorf("%q: got repository %q", text, repo)
		}
	}
	for _, text := range []string{"", "-x", "A", "a b", "a:b:c", "a\nRUN x", digest, "sha256:1", strings.Repeat("a", 64), "a/", "a:", "a@b", "../a"} {
		if got, err := ParseRef(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
	if ref, _ := ParseRef("docker.io/dokku/x"); !ref.Reserved() {
		t.Error("a name of an app's is free")
	}
	if ref, _ := ParseRef("host/dokku/x"); ref.Reserved() {
		t.Error("another registry's name is not")
	}
}

// saved is an archive with these files.
func saved(t testing.TB, files ...[2]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

const twoImages = `[{"Config":"a.json","RepoTags":["one:v1","one:v2"],"Layers":["a"],"More":{"repotags":["x"]}},{"Config":"b.json","RepoTags":["dokku/app:latest"],"Layers":["b"]}]`

func TestOnlyImage(t *testing.T) {
	t.Parallel()
	ref, _ := ParseRef("one:v1")
	archive := saved(t, [2]string{"./manifest.json", twoImages}, [2]string{"a.json", "{}"}, [2]string{"repositories", "{}"}, [2]string{"index.json", "{}"}, [2]string{"b.json", "{}"})
	var out bytes.Buffer
	if err := onlyImage(bytes.NewReader(archive), &out, ref, 1<<20); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(r)
		got[h.Name] = string(data)
	}
	want := map[string]string{"a.json": "{}", "b.json": "{}", "manifest.json": `[{"Config":"a.json","RepoTags":["one:v1"],"Layers":["a"]}]`}
	if len(got) != len(want) || got["manifest.json"] != want["manifest.json"] {
		t.Errorf("got %q, want %q", got, want)
	}
	for text, reason := range map[string]string{
		string(archive[:560]):                                                  "cut off",
		"no archive":                                                           "no archive of docker save",
		string(saved(t, [2]string{"a", ""})):                                   "no manifest.json",
		string(saved(t, [2]string{"manifest.json", "{}"})):                     "cannot be read",
		string(saved(t, [2]string{"manifest.json", "[{}]"})):                   "no image with a name",
		string(saved(t, [2]string{"manifest.json", `[{"RepoTags":["x:y"]}]`})): `no such image, but "x:y"`,
		string(saved(t, [2]string{"manifest.json", twoImages}, [2]string{"large", strings.Repeat("x", 1<<20)})): "more than the limit",
	} {
		err := onlyImage(strings.NewReader(text), io.Discard, ref, 1<<20)
		var own *archiveError
		if !errors.As(err, &own) || !strings.Contains(err.Error(), reason) {
			t.Errorf("got %v, want %q", err, reason)
		}
	}
}

// FuzzOnlyImage takes any bytes for an archive of images: what passes gives no image but one a name, and that name only.
func FuzzOnlyImage(f *testing.F) {
	f.Add(saved(f, [2]string{"manifest.json", twoImages}, [2]string{"a.json", "{}"}))
	f.Add(saved(f, [2]string{"manifest.json", `[{"RepoTags":["one:v1"],"repotags":["one:v1"],"REPOTAGS":["dokku/app:latest", "one:v1"]}]`}))
	f.Add(saved(f, [2]string{"x/../manifest.json", twoImages}, [2]string{"repositories", "{}"}))
	ref, _ := ParseRef("one:v1")
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		if onlyImage(bytes.NewReader(data), &out, ref, 1<<20) != nil {
			return
		}
		manifests := 0
		for r := tar.NewReader(&out); ; {
			h, err := r.Next()
			if err != nil {
				break
			}
			switch name := strings.TrimLeft(h.Name, "./"); name {
			case manifestFile:
				manifests++
				var images []savedImage
				data, _ := io.ReadAll(r)
				if err := json.Unmarshal(data, &images); err != nil || len(images) != 1 || len(images[0].RepoTags) != 1 || images[0].RepoTags[0] != "one:v1" {
					t.Errorf("got %s", data)
				}
			case "repositories", "index.json":
				t.Errorf("there is %s", h.Name)
			}
		}
		if manifests != 1 {
			t.Errorf("got %d manifests", manifests)
		}
	})
}
