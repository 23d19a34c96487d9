package dockerapi

import (
	"fmt"

	"github.com/distribution/reference"
)

// CheckImageName is nil when name is one that an image can have: a repository, with a tag or a digest or neither.
func CheckImageName(name string) error {
	if _, err := reference.ParseNormalizedNamed(name); err != nil {
		return fmt.Errorf("cannot use %q as the name of an image: %w", name, err)
	}
	return nil
}
