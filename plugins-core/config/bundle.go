package config

import (
	"archive/tar"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/dokku-go/dokku/plugins-core/plug"
)

// bundle writes the variables as a tar: a file for each, with the value as it is.
func bundle(_ context.Context, c *plug.C) error {
	t, vars, err := readAll(c)
	if err != nil {
		return err
	}
	w := tar.NewWriter(c.Stdout)
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: key, Mode: 0o600, Size: int64(len(vars[key]))})
		if err == nil {
			_, err = w.Write([]byte(vars[key]))
		}
		if err != nil {
			return fmt.Errorf("cannot write the variables of %s: %w", t.name(), err)
		}
	}
	return w.Close()
}
