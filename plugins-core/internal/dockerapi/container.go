package dockerapi

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/docker/go-connections/nat"
)

// Spec says what container to make.
type Spec struct {
	App, Kind    string
	Name         string // "": the engine's choice
	Image        string
	Cmd          []string // nil: the image's
	Entrypoint   []string // nil: the image's; empty: none
	Env          []string
	WorkDir      string
	User         string
	Labels       map[string]string // beside those of Engine.Labels
	Binds        []Bind
	Volumes      []Volume
	Publish      *Publish
	RestartLimit int // 0: no restart
	TTY          bool
	OpenStdin    bool
	AutoRemove   bool
	Memory       int64   // bytes that it may have, 0: no bound
	CPUs         float64 // the same of processors
	Init         bool    // put docker's small init before the program, so that it gets signals and orphans are buried
}

// Bind is a host directory mounted in a container.
type Bind struct {
	Source, Target string
	ReadOnly       bool
}

// Publish makes a container's tcp port reachable at an address of the host.
type Publish struct {
	HostIP        string
	HostPort      int // 0: the engine's choice
	ContainerPort int
}

// Create makes a container and returns its id.
func (e *Engine) Create(ctx context.Context, s Spec) (string, error) {
	config := &container.Config{
		Image: s.Image, Cmd: s.Cmd, Entrypoint: s.Entrypoint, Env: s.Env, WorkingDir: s.WorkDir, User: s.User,
		Tty: s.TTY, OpenStdin: s.OpenStdin, StdinOnce: s.OpenStdin, AttachStdin: s.OpenStdin,
		Labels: e.labelsOf(s),
	}
	host := &container.HostConfig{AutoRemove: s.AutoRemove}
	if s.Memory > 0 {
		host.Memory, host.MemorySwap = s.Memory, s.Memory // no swap beside
	}
	if s.CPUs > 0 {
		host.CPUPeriod, host.CPUQuota = cpuPeriod, int64(s.CPUs*cpuPeriod)
	}
	if s.Init {
		host.Init = &s.Init
	}
	for _, b := range s.Binds {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeBind, Source: b.Source, Target: b.Target, ReadOnly: b.ReadOnly})
	}
	for _, v := range s.Volumes {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: v.Name, Target: v.Target})
	}
	if s.RestartLimit > 0 {
		host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyOnFailure, MaximumRetryCount: s.RestartLimit}
	}
	if p := s.Publish; p != nil {
		port := nat.Port(strconv.Itoa(p.ContainerPort) + "/tcp")
		binding := nat.PortBinding{HostIP: p.HostIP}
		if p.HostPort > 0 {
			binding.HostPort = strconv.Itoa(p.HostPort)
		}
		config.ExposedPorts = nat.PortSet{port: {}}
		host.PortBindings = nat.PortMap{port: {binding}}
	}
	made, err := e.cli.ContainerCreate(ctx, config, host, nil, nil, s.Name)
	if err != nil {
		return "", explain("create a container of "+s.Image, err)
	}
	return made.ID, nil
}

// Start starts a container that was created or stopped.
func (e *Engine) Start(ctx context.Context, id string) error {
	return explain("start container "+short(id), e.cli.ContainerStart(ctx, id, container.StartOptions{}))
}

// IsPortTaken tells whether err says that a host port was in use when a container was started.
func IsPortTaken(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "port is already allocated") ||
		strings.Contains(err.Error(), "address already in use"))
}

// Stop ends a container: TERM, and KILL after grace. That it is gone is fine.
func (e *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	seconds := int(grace.Round(time.Second).Seconds())
	err := e.cli.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return explain("stop container "+short(id), err)
}

// Remove removes a container and its anonymous volumes, killing it when it runs. That it is gone is fine.
func (e *Engine) Remove(ctx context.Context, id string) error {
	err := e.cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if errdefs.IsNotFound(err) || (errdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress")) {
		err = nil
	}
	if err != nil {
		return explain("remove container "+short(id), err)
	}
	return e.unclaim(id)
}

// Rename gives a container another name.
func (e *Engine) Rename(ctx context.Context, id, name string) error {
	return explain(fmt.Sprintf("rename container %s to %s", short(id), name), e.cli.ContainerRename(ctx, id, name))
}

// Container is what is asked of a container.
type Container struct {
	ID, Name, Image string
	App             string // the app that it belongs to
	Labels          map[string]string
	Running         bool
	Status          string // created, running, restarting, exited, ...
	ExitCode        int
	Restarts        int
	PID             int       // of its first process, 0 when it does not run
	Started         time.Time // by the clock of then: see [Container.Up]
	Created         time.Time // the same, in lists only
	IP              string    // address on its first network
	HostPort        int       // published on IPv4 for the proxy, 0 if none
	HostIP          string
	OOMKilled       bool
	Error           string
}

// Inspect looks at a container.
func (e *Engine) Inspect(ctx context.Context, id string) (*Container, error) {
	got, err := e.cli.ContainerInspect(ctx, id)
	if err != nil {
		return nil, explain("inspect container "+short(id), err)
	}
	c := &Container{ID: got.ID, Name: strings.TrimPrefix(got.Name, "/"), Image: got.Image, Labels: got.Config.Labels, Restarts: got.RestartCount}
	c.App = e.appOf(c.ID, c.Labels)
	if s := got.State; s != nil {
		c.Running, c.Status, c.ExitCode, c.OOMKilled, c.Error = s.Running && !s.Restarting, s.Status, s.ExitCode, s.OOMKilled, s.Error
		c.PID = s.Pid
		c.Started, _ = time.Parse(time.RFC3339Nano, s.StartedAt)
	}
	if n := got.NetworkSettings; n != nil {
		names := make([]string, 0, len(n.Networks))
		for name := range n.Networks {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if ip := n.Networks[name].IPAddress; c.IP == "" && ip != "" {
				c.IP = ip
			}
		}
		c.publishedIn(n.Ports)
	}
	if c.HostPort == 0 && got.HostConfig != nil { // a stopped container keeps its bindings here only
		c.publishedIn(got.HostConfig.PortBindings)
	}
	return c, nil
}

// List returns the ids of the containers of an app, running or not; kind "" is every kind, name "" every app.
func (e *Engine) List(ctx context.Context, name, kind string) ([]Container, error) {
	claimed, err := e.claims()
	if err != nil {
		return nil, err
	}
	label := name
	if len(claimed) > 0 {
		label = "" // some have another's
	}
	f := e.filters(label)
	if kind != "" {
		f.Add("label", LabelKind+"="+kind)
	}
	list, err := e.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: f})
	if err != nil {
		return nil, explain("list containers", err)
	}
	out := make([]Container, 0, len(list))
	for _, c := range list {
		item := Container{ID: c.ID, Image: c.ImageID, App: c.Labels[LabelApp], Labels: c.Labels, Status: c.State, Running: c.State == "running",
			Created: time.Unix(c.Created, 0)}
		if claimed[c.ID] {
			item.App = e.appOf(c.ID, c.Labels)
		}
		if name != "" && item.App != name {
			continue
		}
		if len(c.Names) > 0 {
			item.Name = strings.TrimPrefix(c.Names[0], "/")
		}
		for _, p := range c.Ports {
			item.published(p.Type, p.IP, int(p.PublicPort))
		}
		out = append(out, item)
	}
	return out, nil
}

// Wait waits until a container is not running and returns its status.
func (e *Engine) Wait(ctx context.Context, id string) (int, error) {
	done, fail := e.cli.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case r := <-done:
		if r.Error != nil {
			return 0, fmt.Errorf("cannot wait for container %s: %s", short(id), r.Error.Message)
		}
		return int(r.StatusCode), nil
	case err := <-fail:
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return 0, explain("wait for container "+short(id), err)
	}
}

// Logs copies the last lines of a container's output; with follow it goes on until the container ends or ctx does.
func (e *Engine) Logs(ctx context.Context, id string, lines int, follow bool, stdout, stderr io.Writer) error {
	got, err := e.cli.ContainerInspect(ctx, id)
	if err != nil {
		return explain("read the output of container "+short(id), err)
	}
	r, err := e.cli.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: follow, Tail: strconv.Itoa(lines)})
	if err != nil {
		return explain("read the output of container "+short(id), err)
	}
	defer r.Close()
	if got.Config.Tty {
		_, err = io.Copy(stdout, r)
	} else {
		_, err = stdcopy.StdCopy(stdout, stderr, r)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Commit makes an image of a container.
func (e *Engine) Commit(ctx context.Context, id, ref string, cmd []string, changes []string, labels map[string]string) (string, error) {
	return e.CommitWithComment(ctx, id, ref, "", cmd, changes, labels)
}

// CommitWithComment is Commit with a word on the image, which, other than a label, no image inherits that is built on it.
func (e *Engine) CommitWithComment(ctx context.Context, id, ref, comment string, cmd []string, changes []string, labels map[string]string) (string, error) {
	made, err := e.cli.ContainerCommit(ctx, id, container.CommitOptions{
		Reference: ref, Comment: comment, Changes: changes, Config: &container.Config{Cmd: cmd, Labels: labels}})
	if err != nil {
		return "", explain("make an image of the build", err)
	}
	return made.ID, nil
}

// Kill sends a signal, by name, to a container. That it is not running is fine.
func (e *Engine) Kill(ctx context.Context, id, signal string) error {
	err := e.cli.ContainerKill(ctx, id, signal)
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return explain("signal container "+short(id), err)
}

// PutArchive unpacks a tar into directory dir of a container.
func (e *Engine) PutArchive(ctx context.Context, id, dir string, tar io.Reader) error {
	return explain("copy files into container "+short(id), e.cli.CopyToContainer(ctx, id, dir, tar, container.CopyToContainerOptions{}))
}

func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
