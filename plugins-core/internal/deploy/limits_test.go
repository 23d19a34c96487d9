package deploy_test

import (
	"testing"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/deploy"
	"github.com/dokku-go/dokku/plugins-core/internal/property"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// An app's own bounds count more than those of all apps, and these more than the host's.
func TestLimitsOf(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := settings.Settings{Env: []string{"DOKKU_LIB_ROOT=" + root, "DOKKU_BUILD_MEMORY=512m", "DOKKU_BUILD_CPUS=1.5", "DOKKU_BUILD_TIMEOUT=90"}}
	a := app.App{Name: "one", Root: root}
	set := func(name, key, value string) {
		if err := property.Set(s, "builder", name, key, value); err != nil {
			t.Fatal(err)
		}
	}
	check := func(memory int64, cpus float64, timeout time.Duration) {
		t.Helper()
		l, err := deploy.LimitsOf(s, a)
		if err != nil || l.Memory != memory || l.CPUs != cpus || l.Timeout != timeout {
			t.Errorf("got %+v, %v, want %d, %v, %s", l, err, memory, cpus, timeout)
		}
	}
	check(512<<20, 1.5, 90*time.Second)
	set(property.Global, "build-memory", "1g")
	set(property.Global, "build-timeout", "1h30m")
	check(1<<30, 1.5, 90*time.Minute)
	set("one", "build-memory", "0")
	set("one", "build-cpus", "0.5")
	set("one", "build-timeout", "2m")
	check(0, 0.5, 2*time.Minute)
	set("one", "build-cpus", "many")
	if l, err := deploy.LimitsOf(s, a); err == nil {
		t.Errorf("got %+v, want an error", l)
	}
}

func TestCheckLimit(t *testing.T) {
	t.Parallel()
	for key, values := range map[string][2][]string{
		"build-memory":  {{"", "0", "6m", "512m", "2g", "1.5GB", "6291456", "512MiB"}, {"x", "-1", "5m", "1", "512 m", "m", "99999999999999g", "NaN", "1e400"}},
		"build-cpus":    {{"", "0", "1", "0.5", "2.25"}, {"x", "-1", "NaN", "Inf", "0.001", "1e3", "0x1", "1,5", "9999", ".", "2 "}},
		"build-timeout": {{"", "0", "1", "300", "5m", "1h30m"}, {"x", "-1", "-5m", "10ms", "1d", "99999999999", "8d", "200h"}},
		"other":         {{""}, {"1"}},
	} {
		for _, v := range values[0] {
			if err := deploy.CheckLimit(key, v); err != nil {
				t.Errorf("%s %q: got %v", key, v, err)
			}
		}
		for _, v := range values[1] {
			if deploy.CheckLimit(key, v) == nil {
				t.Errorf("%s %q: want an error", key, v)
			}
		}
	}
}

func FuzzCheckLimit(f *testing.F) {
	for _, v := range []string{"512m", "0.5", "1h", "90", "-1", "1e308g", "NaN"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, key := range []string{deploy.BuildMemoryKey, deploy.BuildCPUsKey, deploy.BuildTimeoutKey} {
			_ = deploy.CheckLimit(key, text)
		}
	})
}
