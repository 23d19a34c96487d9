package testscripts

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	docker "github.com/docker/docker/client"
)

// builds compares builds with what the engine takes for the same by itself: the bench speaks with it directly.
type builds struct {
	*testing.B
	p      *platform
	engine *docker.Client
	server []byte
	n      int
}

func newBuilds(b *testing.B) *builds {
	b.Helper()
	p := benchPlatform(b)
	opts := []docker.Opt{docker.WithAPIVersionNegotiation()}
	if host := p.dockerHost(); host != "" {
		opts = append(opts, docker.WithHost(host))
	}
	engine, err := docker.NewClientWithOpts(opts...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { engine.Close() })
	g := benchPusher(b, p) // for its program
	server, err := os.ReadFile(filepath.Join(g.dir, "server"))
	if err != nil {
		b.Fatal(err)
	}
	return &builds{B: b, p: p, engine: engine, server: server}
}

func (b *builds) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// source writes a tar of an app whose version is new each time, with so many MB that nothing can make smaller, in a file.
func (b *builds) source(dockerfile string, mb int) string {
	b.Helper()
	b.n++
	files := []struct{ name, text string }{{"server", string(b.server)}, {"version", strconv.Itoa(b.n)}, {"Procfile", "web: exec /app/server /app/version\n"}}
	if dockerfile != "" {
		files[2].name, files[2].text = "Dockerfile", dockerfile
	}
	name := filepath.Join(b.p.dir, "source.tar")
	out, err := os.Create(name)
	b.must(err)
	defer out.Close()
	w := tar.NewWriter(out)
	add := func(name string, size int64, r io.Reader) {
		b.must(w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: size, ModTime: time.Unix(1700000000, 0)}))
		_, err := io.Copy(w, r)
		b.must(err)
	}
	for _, f := range files {
		add(f.name, int64(len(f.text)), strings.NewReader(f.text))
	}
	random := rand.NewChaCha8([32]byte{1})
	for i := range mb {
		add(fmt.Sprintf("data/%d", i), 1<<20, io.LimitReader(random, 1<<20))
	}
	b.must(w.Close())
	return name
}

// span is the milliseconds from one moment to another.
func span(from, to time.Time) float64 { return float64(to.Sub(from).Microseconds()) / 1000 }

// moments are when the engine did what it was asked for.
type moments map[events.Action]time.Time

// deploy has dokku deploy a source, and returns when it began and ended, and what the engine did of it.
func (b *builds) deploy(app, source string) (began, ended time.Time, at moments) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	list, fail := b.engine.Events(ctx, events.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "com.dokku.app-name="+app), filters.Arg("type", "container"))})
	at = moments{}
	in, err := os.Open(source)
	b.must(err)
	defer in.Close()
	cmd := b.p.as(b.B, nil, b.p.bin+"/dokku", "receive", app)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &out
	done := make(chan error, 1)
	began = time.Now()
	go func() { done <- cmd.Run() }()
	for {
		select {
		case m := <-list:
			action, _, _ := strings.Cut(string(m.Action), ":")
			if _, known := at[events.Action(action)]; !known { // the build comes first
				at[events.Action(action)] = time.Unix(0, m.TimeNano)
			}
		case err := <-fail:
			b.must(err)
		case err := <-done:
			if err != nil {
				b.Fatalf("%v\n%s", err, out.String())
			}
			return began, time.Now(), at
		}
	}
}

// phases of the last release of an app, as its record has them, in milliseconds.
func (b *builds) phases(app string) map[string]float64 {
	b.Helper()
	records, err := filepath.Glob(filepath.Join(b.p.root, app, "releases/*.json"))
	b.must(err)
	newest := slices.MaxFunc(records, func(x, y string) int { return len(x)*1000 + int(x[len(x)-6]) - len(y)*1000 - int(y[len(y)-6]) })
	data, err := os.ReadFile(newest)
	b.must(err)
	var r struct {
		Phases []struct {
			Name    string
			Seconds float64
		}
	}
	b.must(json.Unmarshal(data, &r))
	all := map[string]float64{}
	for _, phase := range r.Phases {
		all[phase.Name] += phase.Seconds * 1000
	}
	return all
}

// byHand unpacks a source in a container of the stack and commits it, with no more calls than that takes.
func (b *builds) byHand(source string) (run, commit float64) {
	b.Helper()
	ctx := b.Context()
	in, err := os.Open(source)
	b.must(err)
	defer in.Close()
	began := time.Now()
	c, err := b.engine.ContainerCreate(ctx, &container.Config{Image: "dokku/stack:latest", Cmd: []string{"/bin/bash", "-c", "mkdir -p /app && tar -xC /app"},
		User: "0", OpenStdin: true, StdinOnce: true, AttachStdin: true}, nil, nil, nil, "")
	b.must(err)
	conn, err := b.engine.ContainerAttach(ctx, c.ID, container.AttachOptions{Stream: true, Stdin: true, Stdout: true})
	b.must(err)
	ended, fail := b.engine.ContainerWait(ctx, c.ID, container.WaitConditionNextExit)
	b.must(b.engine.ContainerStart(ctx, c.ID, container.StartOptions{}))
	_, err = io.Copy(conn.Conn, in)
	b.must(err)
	b.must(conn.CloseWrite())
	select {
	case r := <-ended:
		if r.StatusCode != 0 {
			b.Fatalf("tar ended with %d", r.StatusCode)
		}
	case err := <-fail:
		b.must(err)
	}
	conn.Close()
	unpacked := time.Now()
	_, err = b.engine.ContainerCommit(ctx, c.ID, container.CommitOptions{Reference: "dokku-floor:latest"})
	b.must(err)
	committed := time.Now()
	b.must(b.engine.ContainerRemove(ctx, c.ID, container.RemoveOptions{}))
	return span(began, unpacked), span(unpacked, committed)
}

// buildByHand has the engine build a source with a Dockerfile.
func (b *builds) buildByHand(source string) float64 {
	b.Helper()
	in, err := os.Open(source)
	b.must(err)
	defer in.Close()
	began := time.Now()
	resp, err := b.engine.ImageBuild(b.Context(), in, build.ImageBuildOptions{Tags: []string{"dokku-floor:latest"}, Version: build.BuilderBuildKit, Remove: true})
	b.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.must(err)
	if bytes.Contains(text, []byte(`"errorDetail"`)) {
		b.Fatalf("%s", text)
	}
	return span(began, time.Now())
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkBuild times builds of a small app and of one with 200 MB, in turn with what the engine takes for them, and
// tells the medians: of the whole command, of its parts, of the engine alone, and how the build compares to that.
func BenchmarkBuild(bench *testing.B) {
	b := newBuilds(bench)
	dockerfile := "FROM scratch\nCOPY . /app\nEXPOSE 5000\nCMD [\"/app/server\", \"/app/version\"]\n"
	for _, size := range []struct {
		name       string
		mb, rounds int
	}{{"small", 0, 5}, {"200MB", 200, 3}} {
		for kind, text := range map[string]string{"buildpack": "", "dockerfile": dockerfile} {
			app := kind + "-" + strings.ToLower(size.name)
			bench.Run(kind+"_"+size.name, func(run *testing.B) {
				b.must(b.p.run(nil, b.p.bin+"/dokku", "apps:create", app))
				b.deploy(app, b.source(text, size.mb))
				values := map[string][]float64{}
				for range size.rounds {
					source := b.source(text, size.mb)
					b.round(values, app, source, text != "")
				}
				ratio := median(values["build"]) / median(values["floor"])
				for name, v := range values {
					run.ReportMetric(median(v), name+"-ms")
				}
				run.ReportMetric(ratio, "build/floor")
				run.ReportMetric(0, "ns/op")
				b.must(b.p.run(nil, b.p.bin+"/dokku", "apps:destroy", "--force", app))
			})
		}
	}
	_ = b.p.run(nil, "docker", "rmi", "-f", "dokku-floor:latest")
}

// round deploys a source and has the engine do the same by itself.
func (b *builds) round(values map[string][]float64, app, source string, isDockerfile bool) {
	b.Helper()
	add := func(name string, ms float64) { values[name] = append(values[name], ms) }
	began, ended, at := b.deploy(app, source)
	phases := b.phases(app)
	add("all", span(began, ended))
	if isDockerfile {
		add("build", phases["build"])
		add("start", span(began, ended)-phases["build"])
		add("floor", b.buildByHand(source))
		return
	}
	run, commit := b.byHand(source)
	add("before", span(began, at["create"])) // reading the tar that dokku got, and the hooks
	add("run", span(at["create"], at["die"]))
	add("commit", span(at["die"], at["commit"]))
	add("start", span(at["commit"], ended))
	add("build", span(at["create"], at["commit"]))
	add("floor_run", run)
	add("floor_commit", commit)
	add("floor", run+commit)
}

// BenchmarkLayers tells how large the image of an app with 60 MB of dependencies and 1 MB of source is after a deploy and
// after twenty, how many layers it has, and what the images that are kept take on disk.
func BenchmarkLayers(bench *testing.B) {
	b := newBuilds(bench)
	for _, kind := range []string{"buildpack", "dockerfile"} {
		bench.Run(kind, func(run *testing.B) {
			app := "layers-" + kind
			b.must(b.p.run(nil, b.p.bin+"/dokku", "apps:create", app))
			dockerfile := ""
			if kind == "dockerfile" {
				dockerfile = "FROM dokku/stack\nRUN head -c 60000000 /dev/urandom >/dependencies\nCOPY . /app\nEXPOSE 5000\nCMD [\"/app/server\", \"/app/version\"]\n"
			}
			var seconds []float64
			for n := 1; n <= 20; n++ {
				mb := 1
				if kind == "buildpack" {
					mb = 61
				}
				began, ended, _ := b.deploy(app, b.source(dockerfile, mb))
				seconds = append(seconds, span(began, ended))
				if n == 1 || n == 20 {
					image, err := b.engine.ImageInspect(b.Context(), "dokku/"+app+":latest")
					b.must(err)
					run.ReportMetric(float64(image.Size)/1e6, fmt.Sprintf("image-MB_after_%d", n))
					run.ReportMetric(float64(len(image.RootFS.Layers)), fmt.Sprintf("layers_after_%d", n))
					bytes, images := b.disk(app)
					run.ReportMetric(float64(bytes)/1e6, fmt.Sprintf("disk-MB_after_%d", n))
					run.ReportMetric(float64(images), fmt.Sprintf("images_after_%d", n))
				}
			}
			run.ReportMetric(median(seconds), "ms/op")
			run.ReportMetric(0, "ns/op")
			b.must(b.p.run(nil, b.p.bin+"/dokku", "apps:destroy", "--force", app))
		})
	}
}

// disk is what the images of an app take beside the stack, in bytes, what they share counted once, and how many there are.
func (b *builds) disk(app string) (bytes int64, images int) {
	b.Helper()
	stack, err := b.engine.ImageInspect(b.Context(), "dokku/stack:latest")
	b.must(err)
	usage, err := b.engine.DiskUsage(b.Context(), types.DiskUsageOptions{Types: []types.DiskUsageObject{types.ImageObject}})
	b.must(err)
	shared := int64(0)
	for _, image := range usage.Images {
		if image.Labels["com.dokku.app-name"] != app || image.Labels["com.dokku.instance"] != b.p.root {
			continue
		}
		bytes += image.Size - image.SharedSize
		shared = max(shared, image.SharedSize-stack.Size)
		images++
	}
	return bytes + shared, images
}
