package schedulerdockerlocal

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/buildstep"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
)

// command says what a process runs in its container.
func (r *rollout) command(p *process, spec *dockerapi.Spec) (err error) {
	switch r.image.Builder {
	case "herokuish":
		spec.Entrypoint, spec.Cmd = []string{}, []string{"/start", p.kind} // which is an init of its own
		return nil
	case "pack":
		spec.Entrypoint, spec.Cmd, err = launch(r.image, p.kind)
	default:
		spec.Cmd, err = deploy.Command(r.image, r.vars, p.kind, p.port)
	}
	if err != nil {
		return fmt.Errorf("cannot start %q of %s: %w", p.kind, r.app.Name, err)
	}
	spec.Init = dockerapi.HasInit(r.c.Env)
	return nil
}

// launch is how the launcher of Cloud Native Buildpacks starts a process: by the line of the Procfile, if the source has
// one that knows it, or by the name that a buildpack has given it. Where nobody has named a web process, it is what the
// image starts by itself.
func launch(image *dockerapi.Image, kind string) (entrypoint, cmd []string, err error) {
	text, err := base64.StdEncoding.DecodeString(image.Labels[dockerapi.LabelProcfile])
	if err != nil {
		return nil, nil, err
	}
	types, err := buildstep.ParseProcfile(string(text))
	if err != nil {
		return nil, nil, err
	}
	if line, ok := types[kind]; ok {
		return []string{"/cnb/lifecycle/launcher"}, []string{line}, nil
	}
	var build struct {
		Processes []struct {
			Type string `json:"type"`
		} `json:"processes"`
	}
	if label := image.Labels["io.buildpacks.build.metadata"]; label != "" {
		if err := json.Unmarshal([]byte(label), &build); err != nil {
			return nil, nil, fmt.Errorf("its image says in a way that cannot be read what it runs: %w", err)
		}
	}
	names := slices.Collect(maps.Keys(types))
	for _, p := range build.Processes {
		if p.Type == kind {
			return []string{"/cnb/process/" + kind}, nil, nil
		}
		names = append(names, p.Type)
	}
	if kind == "web" {
		return nil, nil, nil
	}
	slices.Sort(names)
	return nil, nil, fmt.Errorf("its image has no such process, only: %s", strings.Join(slices.Compact(names), ", "))
}
