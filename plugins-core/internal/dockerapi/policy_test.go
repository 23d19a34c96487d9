package dockerapi_test

import (
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
)

func TestParseRestartPolicy(t *testing.T) {
	t.Parallel()
	for text, times := range map[string]int{"no": 0, "always": 0, "unless-stopped": 0, "on-failure": 0, "on-failure:1": 1, "on-failure:1000000": 1_000_000} {
		if got, err := dockerapi.ParseRestartPolicy(text); err != nil || got.MaximumRetryCount != times {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "never", "No", "no:1", "always:3", "on-failure:", "on-failure:0", "on-failure:-1", "on-failure:01", "on-failure:1000001", "on-failure:x", "on-failure:1:2"} {
		if got, err := dockerapi.ParseRestartPolicy(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}
