// Package rootfs makes Debian root file systems for stacks, as tars: with mmdebstrap, or with debootstrap where that is
// all there is. What goes in is a [Recipe]; what was made is kept by the name of its recipe in a [Cache].
package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// DefaultSuite is the Debian that stacks are made of unless another is wanted.
const DefaultSuite = "bookworm"

// UserID owns and runs apps.
const UserID = 32767

// basePackages are in every stack: what buildpacks of all languages call.
func basePackages() []string {
	return []string{"bash", "ca-certificates", "curl", "file", "git", "openssh-client", "patch", "procps", "unzip", "xz-utils"}
}

// Languages are the names of what a stack may have beside that, in their order.
func Languages() []string { return []string{"c", "go", "nodejs", "php", "python", "ruby"} }

// packages are a language's. Recommended packages are never taken, so each names what it takes to build and to run.
func packages(language string) []string {
	switch language {
	case "c":
		return []string{"g++", "gcc", "libc6-dev", "make", "pkg-config"}
	case "go":
		return []string{"golang-go"}
	case "nodejs":
		return []string{"nodejs"} // npm is added by hand, see [Recipe.WantsNPM]
	case "php":
		return []string{"composer", "php-bcmath", "php-cli", "php-curl", "php-intl", "php-mbstring", "php-mysql", "php-pgsql", "php-sqlite3", "php-xml", "php-zip"}
	case "python":
		return []string{"python3", "python3-pip", "python3-venv"}
	case "ruby":
		return []string{"puma", "ruby", "ruby-bundler", "ruby-dev", "ruby-rack"}
	}
	return nil
}

// without is what no build needs: documents, the tests and the own sources of the Go toolchain, link-time optimisation
// and the sanitizers of gcc. dpkg leaves it out, now and when packages are added later.
func without() []string {
	return []string{
		"/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*",
		"/usr/share/ri/*", "/usr/share/bash-completion/*", "/usr/share/zsh/*",
		"/usr/share/go-*/test/*", "/usr/share/go-*/api/*", "/usr/share/go-*/src/cmd/*", "/usr/share/go-*/src/*_test.go",
		"/usr/share/go-*/src/*/testdata/*", "/usr/lib/go-*/pkg/linux_*/cmd/*",
		"/usr/share/go-*/src/crypto/internal/boring/syso/*.syso", "/usr/lib/go-*/pkg/tool/*/trace", "/usr/lib/go-*/pkg/tool/*/pprof",
		"/usr/lib/go-*/pkg/tool/*/api", "/usr/lib/go-*/pkg/tool/*/objdump", "/usr/lib/go-*/pkg/tool/*/dist", "/usr/lib/*/perl/*/CORE/*.h",
		"/usr/lib/gcc/*/lto1", "/usr/bin/*-lto-dump-*", "*/libasan.*", "*/libtsan.*", "*/liblsan.*", "*/libubsan.*", "*/libhwasan.*",
	}
}

// Recipe is all that a root file system is made of.
type Recipe struct {
	Suite        string
	Languages    []string // of [Languages], in their order
	Sources      []Source
	Certificates map[string][]byte // of authorities that the host trusts beside the usual ones, by name
	DebianNPM    bool              // npm is Debian's, since [FetchNPM] has failed
}

// WantsNPM tells whether npm is to be got by [FetchNPM].
func (r Recipe) WantsNPM() bool { return slices.Contains(r.Languages, "nodejs") && !r.DebianNPM }

// New returns the recipe for a stack on this host: with its sources of packages and its certificates. languages are
// checked; none at all means all of them.
func New(suite string, languages []string) (Recipe, error) {
	r := Recipe{Suite: suite}
	if r.Suite == "" {
		r.Suite = DefaultSuite
	}
	if strings.Trim(r.Suite, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.HasPrefix(r.Suite, "-") {
		return r, fmt.Errorf("cannot make a Debian of suite %q: a suite is a word such as %s", suite, DefaultSuite)
	}
	for _, language := range languages {
		switch {
		case language == "all":
			r.Languages = Languages()
		case language == "none", slices.Contains(r.Languages, language):
		case slices.Contains(Languages(), language):
			r.Languages = append(r.Languages, language)
		default:
			return r, fmt.Errorf("cannot make a stack with %q: it can have %s, all or none", language, strings.Join(Languages(), ", "))
		}
	}
	if len(languages) == 0 {
		r.Languages = Languages()
	}
	slices.Sort(r.Languages)
	r.Sources = HostSources("/etc/apt", r.Suite)
	var err error
	r.Certificates, err = HostCertificates(CertificatesDir)
	return r, err
}

// CertificatesDir is where an administrator puts the certificates of authorities, on the host and in a stack.
const CertificatesDir = "/usr/local/share/ca-certificates"

// HostCertificates reads the certificates that the host's administrator has added, from below dir.
func HostCertificates(dir string) (map[string][]byte, error) {
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".crt") {
			return err
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // a link that leads nowhere: the others count all the same
		}
		if err == nil {
			name, _ := filepath.Rel(dir, path) // it is below
			out[name] = data
		}
		return err
	})
	if os.IsNotExist(err) {
		err = nil
	}
	return out, err
}

// CertificatesID names a set of certificates, "" one that is empty.
func CertificatesID(certificates map[string][]byte) string {
	if len(certificates) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(certificates)) {
		fmt.Fprintf(sum, "%s %d\n%s\n", name, len(certificates[name]), certificates[name])
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// Packages are the names of Debian's packages, without those that they depend on.
func (r Recipe) Packages() []string {
	all := basePackages()
	for _, language := range r.Languages {
		all = append(all, packages(language)...)
	}
	if r.DebianNPM {
		all = append(all, "npm")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Variant says in a word of a file's name what kind of recipe it is; the recipes of a variant follow one another.
func (r Recipe) Variant() string {
	with := strings.Join(r.Languages, "-")
	switch {
	case with == "":
		with = "none"
	case slices.Equal(r.Languages, Languages()):
		with = "all"
	}
	return r.Suite + "-" + with
}

// ID names the recipe: another package, source or certificate, or another way to make it, is another recipe.
func (r Recipe) ID() string {
	sum := sha256.New()
	say := func(what string, lines []string) { fmt.Fprintf(sum, "%s: %q\n", what, lines) }
	say("suite", []string{r.Suite, runtime.GOARCH})
	say("packages", r.Packages())
	say("without", without())
	say("sources", r.lines())
	say("certificates", []string{CertificatesID(r.Certificates)})
	say("npm", []string{npmVersion})
	say("made by", []string{finish, debootstrapScript, essential})
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

func (r Recipe) lines() []string {
	out := make([]string, 0, len(r.Sources))
	for _, s := range r.Sources {
		out = append(out, s.Line())
	}
	return out
}
