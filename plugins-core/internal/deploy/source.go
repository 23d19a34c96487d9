package deploy

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
)

// MaxSourceFile is the size of the largest CHECKS or app.json that is read.
const MaxSourceFile = 64 << 10

// SourceLabels returns the labels by which an image keeps what its tree says about checks, so that a release that is
// deployed again later is checked as it was the first time. A file that is not there makes an empty label: the image
// that a Dockerfile starts from may be of another app, whose checks are not ours.
func SourceLabels(dir string) (map[string]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the source: %w", err)
	}
	defer root.Close()
	labels := map[string]string{}
	for name, label := range map[string]string{"CHECKS": dockerapi.LabelChecks, "app.json": dockerapi.LabelAppJSON} {
		data, err := readSource(root, name)
		if err != nil {
			return nil, fmt.Errorf("cannot use %s of the source: %w", name, err)
		}
		labels[label] = base64.StdEncoding.EncodeToString(data)
	}
	return labels, nil
}

// readSource reads a small regular file; there may be none.
func readSource(root *os.Root, name string) ([]byte, error) {
	st, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // should it have become a pipe
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSourceFile+1))
	if err == nil && len(data) > MaxSourceFile {
		err = fmt.Errorf("it has more than %d KiB", MaxSourceFile>>10)
	}
	return data, err
}
