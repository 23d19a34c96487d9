package rootfs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/dokku-go/dokku/plugins-core/internal/proxy"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// npm comes from its own registry, as one archive that has all it needs in it: Debian's package needs 350 others, which
// take longer to install than everything else, and are as large as Node.js itself. Where the registry is out of reach it
// has to be Debian's all the same, which is another recipe: [Recipe.DebianNPM].
const (
	npmVersion = "10.9.4" // the last that runs on the Node.js of bookworm
	npmHash    = "OnUG836FwboQIbqtefDNlyR0gTHzIfwRfE3DuiNewBvnMnWEpB0VEXwBlFVgqpNzIgYo/MHh3d2Hel/pszapAA=="
	npmMax     = 32 << 20
)

// FetchNPM gets the archive from the registry that the host uses; whose it is does not matter, since its hash is known.
func FetchNPM(ctx context.Context, set settings.Settings) ([]byte, error) {
	registry := set.Get("npm_config_registry", "https://registry.npmjs.org/")
	url := strings.TrimRight(registry, "/") + "/npm/-/npm-" + npmVersion + ".tgz"
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{Proxy: proxy.Of(set), ForceAttemptHTTP2: true, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, npmMax))
	if err != nil {
		return nil, err
	}
	if sum := sha512.Sum512(data); base64.StdEncoding.EncodeToString(sum[:]) != npmHash {
		return nil, fmt.Errorf("%s: it is not what it should be: its SHA-512 is another", url)
	}
	return data, nil
}

// unpackNPM puts it where npm itself would install a newer one.
func unpackNPM(w *overlayWriter, archive []byte) error {
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	for files := tar.NewReader(plain); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name, ok := strings.CutPrefix(path.Clean(h.Name), "package/")
		if !ok || h.Typeflag != tar.TypeReg || strings.HasPrefix(name, "docs/") || strings.HasPrefix(name, "man/") {
			continue
		}
		if err := w.file("usr/lib/node_modules/npm/"+name, h.FileInfo().Mode(), h.Size, files); err != nil {
			return err
		}
	}
	return errors.Join(w.link("usr/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js"), w.link("usr/bin/npx", "../lib/node_modules/npm/bin/npx-cli.js"))
}
