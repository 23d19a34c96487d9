package stack

import (
	"encoding/hex"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/rootfs"
	"github.com/dokku-go/dokku/plugins-core/plug"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

const createArgs = "[NAME] [--from debootstrap|IMAGE|TAR|URL|DIRECTORY] [--with LANGUAGE,...] [--suite SUITE] [--checksum sha256:HEX] [--refresh]"

// origin is a way to come to the image that ours is laid over.
type origin int

const (
	fromDebian origin = iota // a root file system of Debian's packages
	fromTar                  // one in a file
	fromURL                  // one in a file of a web server
	fromDir                  // the Dockerfile in a directory
	fromImage                // an image of the engine, or of a registry
)

// options are the words of stack:create.
type options struct {
	ref      string // of the image that is made
	from     string
	origin   origin
	recipe   rootfs.Recipe // fromDebian
	refresh  bool          // fromDebian: with the packages of now
	checksum string        // "": not checked
}

// readOptions reads the words.
func readOptions(c *plug.C) (options, error) {
	o := options{ref: c.Settings().StackImage(), from: "debootstrap"}
	given := map[string]string{}
	var names []string
	for i := 0; i < len(c.Args); i++ {
		name, value, has := strings.Cut(c.Args[i], "=")
		if !strings.HasPrefix(name, "-") {
			names = append(names, c.Args[i])
			continue
		}
		if c.Args[i] == "--refresh" {
			o.refresh, given["--refresh"] = true, ""
			continue
		}
		if !slices.Contains([]string{"--from", "--with", "--suite", "--checksum"}, name) {
			return o, c.Usage("cannot use option %q: it is unknown", name)
		}
		if !has {
			if i++; i == len(c.Args) {
				return o, c.Usage("cannot use option %q without a value", name)
			}
			value = c.Args[i]
		}
		if value == "" {
			return o, c.Usage("cannot use option %q without a value", name)
		}
		given[name] = value
	}
	if len(names) > 1 {
		return o, c.Usage("cannot make %d stacks at once: give one name", len(names))
	}
	if len(names) == 1 {
		var err error
		if o.ref, err = refOf(c, names[0]); err != nil {
			return o, err
		}
	} else if err := dockerapi.CheckRef(o.ref); err != nil {
		return o, err
	}
	if from, ok := given["--from"]; ok {
		o.from = from
	}
	o.origin = originOf(o.from)
	return o.finish(c, given)
}

// finish reads the options that are for one origin only.
func (o options) finish(c *plug.C, given map[string]string) (options, error) {
	for _, name := range []string{"--with", "--suite", "--refresh"} {
		if _, ok := given[name]; ok && o.origin != fromDebian {
			return o, c.Usage("cannot use %s with --from %s: it is for root file systems that are made here", name, shown(o.from))
		}
	}
	checksum, ok := given["--checksum"]
	switch {
	case ok && o.origin != fromTar && o.origin != fromURL:
		return o, c.Usage("cannot use --checksum with --from %s: it is for files", shown(o.from))
	case !ok && o.origin == fromURL:
		return o, c.Usage("cannot take %q unseen: give its --checksum", shown(o.from))
	case ok:
		sum, is := strings.CutPrefix(checksum, "sha256:")
		if raw, err := hex.DecodeString(sum); !is || err != nil || len(raw) != 32 {
			return o, c.Usage("cannot use %q as a checksum: want sha256: and 64 hexadecimal digits", checksum)
		}
		o.checksum = strings.ToLower(sum)
	}
	if o.origin != fromDebian {
		return o, nil
	}
	var with []string
	if given["--with"] != "" {
		with = strings.Split(given["--with"], ",")
	}
	var err error
	if o.recipe, err = rootfs.New(given["--suite"], with); err != nil {
		return o, &plug.UsageError{Text: err.Error()}
	}
	return o, nil
}

// refOf is the image that a word of the user names.
func refOf(c *plug.C, name string) (string, error) {
	ref := settings.StackRef(name)
	if err := dockerapi.CheckRef(ref); err != nil {
		return "", c.Usage("cannot use %q as the name of a stack: want a word, or the name of an image", name)
	}
	return ref, nil
}

// shown is where a stack is from, without what may be secret in a URL: who asks, and the query.
func shown(from string) string {
	if originOf(from) != fromURL {
		return from
	}
	u, err := url.Parse(from)
	if err != nil {
		scheme, _, _ := strings.Cut(from, "://")
		return scheme + "://..."
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// originOf tells the ways apart by how they are spelled; a file that is there is one, whatever else the word may mean.
func originOf(from string) origin {
	if from == "debootstrap" {
		return fromDebian
	}
	if strings.HasPrefix(from, "http://") || strings.HasPrefix(from, "https://") {
		return fromURL
	}
	st, err := os.Stat(from)
	switch {
	case err == nil && st.IsDir():
		return fromDir
	case err == nil, strings.HasPrefix(from, "/"), strings.HasPrefix(from, "./"), strings.HasPrefix(from, "../"):
		return fromTar
	}
	return fromImage
}
