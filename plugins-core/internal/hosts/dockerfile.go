package hosts

import (
	"fmt"

	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
)

// DockerfilePort is the variable of an app of a Dockerfile that says on which port its web processes listen; without it
// that is the first port that the image exposes (toolchain-2014, section 14).
const DockerfilePort = "DOKKU_DOCKERFILE_PORT"

// PortOf is the port that an app's variables say; 0 when they say none.
func PortOf(vars envfile.Vars) (int, error) {
	text := vars[DockerfilePort]
	if text == "" {
		return 0, nil
	}
	n, err := ParsePort(text)
	if err != nil {
		return 0, fmt.Errorf("%w, in %s", err, DockerfilePort)
	}
	return n, nil
}
