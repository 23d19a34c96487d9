package dockerapi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// CreateWithOptions makes a container. options are words of `docker run` that plugins gave; only docker's own command
// knows all of them, so where there are any it makes the container.
func (e *Engine) CreateWithOptions(ctx context.Context, s Spec, options, env []string) (string, error) {
	s, options, err := e.restoring(ctx, s, options)
	if err != nil {
		return "", err
	}
	if len(options) == 0 {
		return e.Create(ctx, s)
	}
	args := []string{dockerCommand(env), "container", "create"}
	add := func(flag, value string) { args = append(args, flag, value) }
	labels := e.labelsOf(s)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		add("--label", key+"="+labels[key])
	}
	if s.Name != "" {
		add("--name", s.Name)
	}
	if s.WorkDir != "" {
		add("--workdir", s.WorkDir)
	}
	if s.User != "" {
		add("--user", s.User)
	}
	for _, b := range s.Binds {
		value := "type=bind,source=" + b.Source + ",target=" + b.Target
		if b.ReadOnly {
			value += ",readonly"
		}
		add("--mount", value)
	}
	for _, v := range s.Volumes {
		add("--mount", "type=volume,source="+v.Name+",target="+v.Target)
	}
	if p := s.Publish; p != nil {
		host := ""
		if p.HostPort > 0 {
			host = strconv.Itoa(p.HostPort)
		}
		add("--publish", fmt.Sprintf("%s:%s:%d/tcp", p.HostIP, host, p.ContainerPort))
	}
	// Values go by docker's environment: they may be secret, and a command line is for all to see.
	env = slices.Clone(env)
	for _, kv := range s.Env {
		key, value, _ := strings.Cut(kv, "=")
		if steersDocker(key) {
			add("--env", kv)
			continue
		}
		env = append(env, key+"="+value)
		add("--env", key)
	}
	if s.Init {
		args = append(args, "--init")
	}
	if s.TTY {
		args = append(args, "--tty")
	}
	if s.OpenStdin {
		args = append(args, "--interactive")
	}
	cmd := s.Cmd
	if s.Entrypoint != nil && len(s.Entrypoint) == 0 {
		args = append(args, "--entrypoint=")
	} else if len(s.Entrypoint) > 0 {
		add("--entrypoint", s.Entrypoint[0])
		cmd = append(slices.Clone(s.Entrypoint[1:]), cmd...)
	}
	args = append(args, options...)
	args = append(args, boundOptions(s.Memory, s.CPUs, options)...)
	args = append(args, s.Image)
	args = append(args, cmd...)
	out, err := proc.Output(ctx, proc.Cmd{Args: args, Env: env})
	if err != nil {
		return "", fmt.Errorf("cannot create a container%s: %w", withOptions(options), err)
	}
	return strings.TrimSpace(out), nil
}

// withOptions names the options of plugins for a message. Their values may be secret.
func withOptions(words []string) string {
	var names []string
	for _, word := range words {
		if name, _, _ := strings.Cut(word, "="); strings.HasPrefix(name, "--") {
			names = append(names, name)
		} else if len(name) > 1 && name[0] == '-' {
			names = append(names, name[:2])
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (options of plugins: " + strings.Join(names, " ") + ")"
}

// HasInit tells whether this host has the small init that [Spec.Init] asks for.
func HasInit(env []string) bool {
	_, err := proc.LookPath(env, "docker-init")
	return err == nil
}

// dockerCommand is docker's own command: DOCKER_BIN, for hosts that have several.
func dockerCommand(env []string) string {
	return settings.Settings{Env: env}.Get("DOCKER_BIN", "docker")
}

// steersDocker tells whether docker's own command, or the loader, would heed an app's variable of that name.
func steersDocker(key string) bool {
	switch key {
	case "PATH", "HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy":
		return true
	}
	return strings.HasPrefix(key, "DOCKER_") || strings.HasPrefix(key, "LD_") || strings.HasPrefix(key, "GO")
}

// ParseRestartPolicy reads when the engine is to start a container again: no, always, unless-stopped, on-failure, or
// on-failure:N for up to N times.
func ParseRestartPolicy(text string) (container.RestartPolicy, error) {
	bad := fmt.Errorf("cannot use %q as a restart policy: give no, always, unless-stopped, on-failure or on-failure:COUNT", text)
	name, count, counted := strings.Cut(text, ":")
	policy := container.RestartPolicy{Name: container.RestartPolicyMode(name)}
	switch policy.Name {
	case container.RestartPolicyDisabled, container.RestartPolicyAlways, container.RestartPolicyUnlessStopped:
		if counted {
			return policy, bad
		}
	case container.RestartPolicyOnFailure:
		n, err := strconv.Atoi(count)
		if counted && (err != nil || n < 1 || n > 1_000_000 || strconv.Itoa(n) != count) {
			return policy, bad
		}
		policy.MaximumRetryCount = n
	default:
		return policy, bad
	}
	return policy, nil
}

// SetRestartPolicy has the engine start a container again when the policy says so.
func (e *Engine) SetRestartPolicy(ctx context.Context, id, text string) error {
	policy, err := ParseRestartPolicy(text)
	if err != nil {
		return err
	}
	_, err = e.cli.ContainerUpdate(ctx, id, container.UpdateConfig{RestartPolicy: policy})
	return explain("set the restart policy of container "+short(id), err)
}

// LeaveStopped has the engine not start a container again. That it is gone, or is being removed, is fine. When it ends at
// this very moment, the engine fails at what it takes for running.
func (e *Engine) LeaveStopped(ctx context.Context, id string) error {
	for try := 0; ; try++ {
		err := e.SetRestartPolicy(ctx, id, "no")
		if IsNotFound(err) || err != nil && strings.Contains(err.Error(), "marked for removal") {
			return nil
		}
		if err == nil || try == 20 || !strings.Contains(err.Error(), "not running") {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
