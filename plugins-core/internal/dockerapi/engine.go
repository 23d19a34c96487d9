// Package dockerapi is the only door to the container engine. It speaks the engine's API, so that no docker command is
// started, and it names what is ours: every image and container made here carries [Label].
package dockerapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// Labels of our images and containers; the names are the ones that tools for today's dokku look for.
const (
	Label         = "dokku"                     // on everything of ours; empty value
	LabelVendor   = "org.label-schema.vendor"   // "dokku"
	LabelApp      = "com.dokku.app-name"        // the app
	LabelKind     = "com.dokku.container-type"  // deploy, build, run, cache, look or stack
	LabelProcess  = "com.dokku.process-type"    // web, worker, ...
	LabelDyno     = "com.dokku.dyno"            // web.1
	LabelRelease  = "com.dokku.release"         // number of the release a container belongs to
	LabelStage    = "com.dokku.image-stage"     // build or release
	LabelBuilder  = "com.dokku.builder-type"    // dockerfile, herokuish or pack
	LabelInstance = "com.dokku.instance"        // DOKKU_ROOT: two instances on one engine keep apart
	LabelAddress  = "com.dokku.address"         // where on the host the proxy finds a container
	LabelSourceID = "com.dokku.source-revision" // the git revision an image was built from
	LabelChecks   = "com.dokku.checks"          // CHECKS of the tree that an image was built from, in base64
	LabelAppJSON  = "com.dokku.app-json"        // its app.json, the same
	LabelSigil    = "com.dokku.nginx-sigil"     // its nginx.conf.sigil
	LabelTemplate = "com.dokku.nginx-template"  // its nginx.conf.template
	LabelProcfile = "com.dokku.procfile"        // its Procfile
	LabelPort     = "com.dokku.port"            // the port that its Dockerfile exposes first, if that can be told
)

// Engine is a connection to the engine that DOCKER_HOST names.
type Engine struct {
	cli     *client.Client
	root    string
	renamed string // the directory of claims
}

// New connects; nothing is asked of the engine until the first call.
func New(s settings.Settings) (*Engine, error) {
	opts := []client.Opt{client.WithAPIVersionNegotiation()}
	if host := s.Get("DOCKER_HOST", ""); host != "" {
		opts = append(opts, client.WithHost(host))
	}
	cli, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the docker engine: %w", err)
	}
	return &Engine{cli: cli, root: s.Root(), renamed: filepath.Join(s.Data("containers"), "renamed")}, nil
}

// Close ends the connection.
func (e *Engine) Close() { _ = e.cli.Close() }

// Labels returns the labels of something of ours that belongs to app name; name "" is for what belongs to none.
func (e *Engine) Labels(name, kind string) map[string]string {
	l := map[string]string{Label: "", LabelVendor: "dokku", LabelInstance: e.root}
	if name != "" {
		l[LabelApp] = name
	}
	if kind != "" {
		l[LabelKind] = kind
	}
	return l
}

// labelsOf are the labels of a container to be made.
func (e *Engine) labelsOf(s Spec) map[string]string {
	l := e.Labels(s.App, s.Kind)
	if p := s.Publish; p != nil && p.HostPort > 0 {
		l[LabelAddress] = hostAddress(p.HostIP, p.HostPort)
	}
	maps.Copy(l, s.Labels)
	return l
}

func explain(what string, err error) error {
	if err == nil {
		return nil
	}
	if client.IsErrConnectionFailed(err) {
		return fmt.Errorf("cannot %s: the docker engine does not answer (is it running, and may this user reach it?)", what)
	}
	text := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	return fmt.Errorf("cannot %s: %w", what, &engineError{text: text, err: err})
}

type engineError struct {
	text string
	err  error
}

func (e *engineError) Error() string { return e.text }
func (e *engineError) Unwrap() error { return e.err }

// IsNotFound tells whether err says that the engine has no such thing.
func IsNotFound(err error) bool { return errdefs.IsNotFound(err) }

// Ping asks whether the engine answers.
func (e *Engine) Ping(ctx context.Context) error {
	_, err := e.cli.Ping(ctx)
	return explain("reach the docker engine", err)
}

// Image is what is asked of an image.
type Image struct {
	ID         string
	Ports      []int // EXPOSEd tcp ports: the one of LabelPort, and the others ascending
	Labels     map[string]string
	Cmd        []string
	Entrypoint []string
	Shell      []string // of its SHELL instruction, if it has one
	Env        []string
	Builder    string // LabelBuilder
	WorkDir    string // of its processes
	User       string // the same, "": root
	Created    time.Time
	Bytes      int64
	Comment    string // of [Engine.CommitWithComment]
}

// Image inspects the image ref.
func (e *Engine) Image(ctx context.Context, ref string) (*Image, error) {
	got, err := e.cli.ImageInspect(ctx, ref)
	if err != nil {
		return nil, explain("inspect image "+ref, err)
	}
	img := &Image{ID: got.ID, Bytes: got.Size, Comment: got.Comment}
	img.Created, _ = time.Parse(time.RFC3339Nano, got.Created) // an image may not say
	if c := got.Config; c != nil {
		img.Labels, img.Cmd, img.Builder, img.WorkDir = c.Labels, c.Cmd, c.Labels[LabelBuilder], c.WorkingDir
		img.User, img.Env = c.User, c.Env
		img.Entrypoint, img.Shell = c.Entrypoint, c.Shell
		for spec := range c.ExposedPorts {
			if port, proto, _ := strings.Cut(string(spec), "/"); proto == "tcp" || proto == "" {
				if n, err := strconv.Atoi(port); err == nil {
					img.Ports = append(img.Ports, n)
				}
			}
		}
	}
	slices.Sort(img.Ports)
	if first, err := strconv.Atoi(img.Labels[LabelPort]); err == nil && slices.Contains(img.Ports, first) {
		img.Ports = append([]int{first}, slices.DeleteFunc(img.Ports, func(n int) bool { return n == first })...)
	}
	return img, nil
}

// ImageID returns the id of ref, or "" when there is no such image.
func (e *Engine) ImageID(ctx context.Context, ref string) (string, error) {
	img, err := e.Image(ctx, ref)
	if IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return img.ID, nil
}

// Tag gives the image ref another name.
func (e *Engine) Tag(ctx context.Context, ref, name string) error {
	return explain(fmt.Sprintf("tag image %s as %s", ref, name), e.cli.ImageTag(ctx, ref, name))
}

// RemoveImage removes the name ref, and the image with it when that was its last name and no container uses it. That
// it is not there, or still in use, is fine.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	_, err := e.cli.ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true})
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return explain("remove image "+ref, err)
}

// RemoveUnnamed removes the image of that id when it has no name and is in no use.
func (e *Engine) RemoveUnnamed(ctx context.Context, id string) error {
	got, err := e.cli.ImageInspect(ctx, id)
	if errdefs.IsNotFound(err) || (err == nil && len(got.RepoTags) > 0) {
		return nil
	}
	if err != nil {
		return explain("inspect image "+short(id), err)
	}
	return e.RemoveImage(ctx, id)
}

// AppImages lists the names (repository:tag) of all images of the repository dokku/NAME of a.
func (e *Engine) AppImages(ctx context.Context, a app.App) ([]string, error) {
	list, err := e.cli.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", a.Repository()))})
	if err != nil {
		return nil, explain("list the images of "+a.Name, err)
	}
	var names []string
	for _, img := range list {
		for _, tag := range img.RepoTags {
			if strings.HasPrefix(tag, a.Repository()+":") {
				names = append(names, tag)
			}
		}
	}
	return names, nil
}

// PruneImages removes untagged images of this instance that no container uses; name "" means those of all apps. It
// returns how many there were and the bytes they took.
func (e *Engine) PruneImages(ctx context.Context, name string) (count int, bytes uint64, err error) {
	report, err := e.cli.ImagesPrune(ctx, e.filters(name, filters.Arg("dangling", "true")))
	if err != nil {
		return 0, 0, explain("remove unused images", err)
	}
	return len(report.ImagesDeleted), report.SpaceReclaimed, nil
}

// PruneContainers removes stopped build and run containers of this instance.
func (e *Engine) PruneContainers(ctx context.Context, name string) (int, error) {
	list, err := e.List(ctx, name, "")
	if err != nil {
		return 0, err
	}
	n := 0
	var errs []error
	for _, c := range list {
		if c.Status != "exited" && c.Status != "dead" {
			continue
		}
		if kind := c.Labels[LabelKind]; kind == "build" || kind == "run" || kind == "cache" {
			errs = append(errs, e.Remove(ctx, c.ID))
			n++
		}
	}
	return n, errors.Join(errs...)
}

func (e *Engine) filters(name string, more ...filters.KeyValuePair) filters.Args {
	f := filters.NewArgs(more...)
	f.Add("label", LabelInstance+"="+e.root)
	if name != "" {
		f.Add("label", LabelApp+"="+name)
	}
	return f
}

// ImageBytes returns how much the images of this instance's apps take on disk, without what they share with others.
func (e *Engine) ImageBytes(ctx context.Context) (int64, error) {
	usage, err := e.cli.DiskUsage(ctx, types.DiskUsageOptions{Types: []types.DiskUsageObject{types.ImageObject}})
	if err != nil {
		return 0, explain("measure images", err)
	}
	var sum int64
	for _, img := range usage.Images {
		if img.Labels[LabelInstance] == e.root {
			sum += img.Size - max(0, img.SharedSize)
		}
	}
	return sum, nil
}
