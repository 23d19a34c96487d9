package dockerapi_test

import (
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
)

func TestNeedsBuildKit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"FROM scratch\nCOPY a /\n":                        false,
		"# syntax=docker/dockerfile:1\nFROM x\n":          true,
		"# syntax is explained here\nFROM x\n":            false,
		"FROM x\nRUN --mount=type=cache,target=/c make\n": true,
		"FROM x\nRUN make --mount=no\n":                   false,
		"FROM x\nCOPY --from=build /a /b\n":               false,
		"FROM x\nCOPY --from=build --chmod=755 /a /b\n":   true,
		"FROM x\nCOPY --chown=1:1 a b\n":                  false,
		"FROM x\nRUN <<EOF\necho\nEOF\n":                  true,
		"FROM x\nRUN echo <<<x && cat a << b\n":           false,
		"FROM x\nRUN cat <<-'EOF' >/f\n a\nEOF\n":         true,
		"from x\nrun --network=none true\n":               true,
		"FROM x\nCMD echo --mount\n":                      false,
	} {
		if got := dockerapi.NeedsBuildKit(text); got != want {
			t.Errorf("NeedsBuildKit(%q): got %v, want %v", text, got, want)
		}
	}
}
