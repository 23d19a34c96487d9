package dockerapi

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-units"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// buildOption is an option of `docker build` for which the engine's request has a field.
type buildOption struct {
	flag bool // it needs no value
	set  func(o *build.ImageBuildOptions, value string) error
}

// ParseBuildOptions turns words of `docker build` into the fields of a request. rest are the words from the first that
// the request has no field for: only docker's own command knows what they mean. A --build-arg without a value takes
// that of the variable in env.
func ParseBuildOptions(words, env []string) (o build.ImageBuildOptions, rest []string, err error) {
	for i := 0; i < len(words); i++ {
		name, value, given := strings.Cut(words[i], "=")
		if !strings.HasPrefix(name, "--") {
			name, value, given = shortBuildOption(words[i])
		}
		known, ok := buildOptionOf(name, env)
		if !ok {
			return o, words[i:], nil
		}
		switch {
		case !given && known.flag:
			value = "true"
		case !given:
			if i++; i == len(words) {
				return o, nil, fmt.Errorf("cannot use the build options: %s needs a value", name)
			}
			value = words[i]
		}
		if err := known.set(&o, value); err != nil && name == "--build-arg" { // it may be secret
			return o, nil, fmt.Errorf("cannot use the build option %s: %w", name, err)
		} else if err != nil {
			return o, nil, fmt.Errorf("cannot use the build option %s %q: %w", name, value, err)
		}
	}
	return o, nil, nil
}

// shortBuildOption takes -m512m and -m=512m apart, and gives the short names their long ones.
func shortBuildOption(word string) (name, value string, given bool) {
	if len(word) < 2 {
		return word, "", false
	}
	switch word[:2] {
	case "-m":
		name = "--memory"
	case "-c":
		name = "--cpu-shares"
	case "-t":
		name = "--tag"
	default:
		return word, "", false
	}
	value = strings.TrimPrefix(word[2:], "=")
	return name, value, word[2:] != ""
}

func buildOptionOf(name string, env []string) (buildOption, bool) {
	text := func(f func(o *build.ImageBuildOptions) *string) buildOption {
		return buildOption{set: func(o *build.ImageBuildOptions, v string) error { *f(o) = v; return nil }}
	}
	flag := func(f func(o *build.ImageBuildOptions) *bool) buildOption {
		return buildOption{flag: true, set: func(o *build.ImageBuildOptions, v string) (err error) {
			*f(o), err = strconv.ParseBool(v)
			return err
		}}
	}
	list := func(f func(o *build.ImageBuildOptions) *[]string) buildOption {
		return buildOption{set: func(o *build.ImageBuildOptions, v string) error { *f(o) = append(*f(o), v); return nil }}
	}
	number := func(f func(o *build.ImageBuildOptions) *int64) buildOption {
		return buildOption{set: func(o *build.ImageBuildOptions, v string) (err error) {
			*f(o), err = strconv.ParseInt(v, 10, 64)
			return err
		}}
	}
	bytes := func(f func(o *build.ImageBuildOptions) *int64) buildOption {
		return buildOption{set: func(o *build.ImageBuildOptions, v string) (err error) {
			if v == "-1" { // --memory-swap: without a bound
				*f(o) = -1
				return nil
			}
			*f(o), err = units.RAMInBytes(v)
			return err
		}}
	}
	type opts = build.ImageBuildOptions
	switch name {
	case "--build-arg":
		return buildOption{set: func(o *opts, v string) error { return setBuildArg(o, v, env) }}, true
	case "--label":
		return buildOption{set: setLabel}, true
	case "--ulimit":
		return buildOption{set: setUlimit}, true
	case "--add-host":
		return buildOption{set: setHost}, true
	case "--no-cache":
		return flag(func(o *opts) *bool { return &o.NoCache }), true
	case "--pull":
		return flag(func(o *opts) *bool { return &o.PullParent }), true
	case "--rm", "--force-rm", "--compress": // what a build leaves is always removed
		return flag(func(*opts) *bool { return new(bool) }), true
	case "--tag":
		return list(func(o *opts) *[]string { return &o.Tags }), true
	case "--cache-from":
		return list(func(o *opts) *[]string { return &o.CacheFrom }), true
	case "--target":
		return text(func(o *opts) *string { return &o.Target }), true
	case "--platform":
		return text(func(o *opts) *string { return &o.Platform }), true
	case "--network":
		return text(func(o *opts) *string { return &o.NetworkMode }), true
	case "--cgroup-parent":
		return text(func(o *opts) *string { return &o.CgroupParent }), true
	case "--cpuset-cpus":
		return text(func(o *opts) *string { return &o.CPUSetCPUs }), true
	case "--cpuset-mems":
		return text(func(o *opts) *string { return &o.CPUSetMems }), true
	case "--cpu-shares":
		return number(func(o *opts) *int64 { return &o.CPUShares }), true
	case "--cpu-quota":
		return number(func(o *opts) *int64 { return &o.CPUQuota }), true
	case "--cpu-period":
		return number(func(o *opts) *int64 { return &o.CPUPeriod }), true
	case "--memory":
		return bytes(func(o *opts) *int64 { return &o.Memory }), true
	case "--memory-swap":
		return bytes(func(o *opts) *int64 { return &o.MemorySwap }), true
	case "--shm-size":
		return bytes(func(o *opts) *int64 { return &o.ShmSize }), true
	}
	return buildOption{}, false
}

func setBuildArg(o *build.ImageBuildOptions, v string, env []string) error {
	name, value, given := strings.Cut(v, "=")
	if name == "" {
		return fmt.Errorf("it is not NAME=VALUE")
	}
	if o.BuildArgs == nil {
		o.BuildArgs = map[string]*string{}
	}
	if !given {
		if value, given = settings.Lookup(env, name); !given {
			o.BuildArgs[name] = nil
			return nil
		}
	}
	o.BuildArgs[name] = &value
	return nil
}

func setLabel(o *build.ImageBuildOptions, v string) error {
	name, value, _ := strings.Cut(v, "=")
	if name == "" {
		return fmt.Errorf("it is not NAME=VALUE")
	}
	if o.Labels == nil {
		o.Labels = map[string]string{}
	}
	o.Labels[name] = value
	return nil
}

func setUlimit(o *build.ImageBuildOptions, v string) error {
	u, err := units.ParseUlimit(v)
	if err != nil {
		return err
	}
	o.Ulimits = append(o.Ulimits, (*container.Ulimit)(u))
	return nil
}

// setHost takes NAME:ADDRESS, and NAME=ADDRESS as newer clients do.
func setHost(o *build.ImageBuildOptions, v string) error {
	at := strings.IndexAny(v, ":=")
	if at < 1 || at == len(v)-1 {
		return fmt.Errorf("it is not NAME:ADDRESS")
	}
	address := strings.TrimSuffix(strings.TrimPrefix(v[at+1:], "["), "]")
	o.ExtraHosts = append(o.ExtraHosts, v[:at]+":"+address)
	return nil
}

// bound tells whether a request has options that hold for the steps of the engine's own builder only: its BuildKit
// takes them and does not heed them.
func bound(o build.ImageBuildOptions) bool {
	return o.Memory != 0 || o.MemorySwap != 0 || o.CPUShares != 0 || o.CPUQuota != 0 || o.CPUPeriod != 0 ||
		o.CPUSetCPUs != "" || o.CPUSetMems != "" || o.CgroupParent != "" || o.ShmSize != 0 || len(o.Ulimits) > 0
}
