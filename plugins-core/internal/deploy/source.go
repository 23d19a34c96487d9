package deploy

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/hosts"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// MaxSourceFile is the size of the largest CHECKS, app.json or template that is read.
const MaxSourceFile = 64 << 10

// SourceLabels returns the labels by which an image keeps what its tree says about checks, nginx and processes, so that a
// release that is deployed again later is checked and served as it was the first time. A file that is not there makes an
// empty label: the image that a Dockerfile starts from may be of another app, whose files are not ours.
func SourceLabels(s settings.Settings, a app.App, dir string) (map[string]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the source: %w", err)
	}
	defer root.Close()
	labels := map[string]string{}
	for _, f := range []struct{ name, label string }{{"CHECKS", dockerapi.LabelChecks}, {"app.json", dockerapi.LabelAppJSON},
		{hosts.SigilPath(s, a.Name), dockerapi.LabelSigil}, {hosts.ShellTemplate, dockerapi.LabelTemplate}, {"Procfile", dockerapi.LabelProcfile}} {
		data, err := readSource(root, f.name)
		if err != nil {
			return nil, fmt.Errorf("cannot use %s of the source: %w", f.name, err)
		}
		labels[f.label] = base64.StdEncoding.EncodeToString(data)
	}
	return labels, nil
}

// SourceFile is the text of a small regular file of the source tree dir; nil when there is none.
func SourceFile(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the source: %w", err)
	}
	defer root.Close()
	return readSource(root, name)
}

// readSource reads a small regular file; there may be none.
func readSource(root *os.Root, name string) ([]byte, error) {
	st, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
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

// ServerFile is the text of a file of that name in the app's directory, which an admin may have put there; "" when there
// is none. what says what it is.
func ServerFile(a app.App, name, what string) (string, error) {
	file := a.Path(name)
	st, err := os.Stat(file) // an admin may link to a file of many apps
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("cannot read %s of %q: %w", what, a.Name, err)
	case !st.Mode().IsRegular() || st.Size() > MaxSourceFile:
		return "", fmt.Errorf("cannot use %q: it has to be a regular file of at most %d KiB", file, MaxSourceFile>>10)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("cannot read %s of %q: %w", what, a.Name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSourceFile))
	return string(data), err
}
