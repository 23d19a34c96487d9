package rootfs

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/settings"
)

// finish is run in the new root when all packages are there.
//
//go:embed finish.sh
var finish string

// debootstrapScript does what mmdebstrap does by itself.
//
//go:embed debootstrap.sh
var debootstrapScript string

// Maker makes root file systems.
type Maker struct {
	Env []string                         // of the programs
	Dir string                           // for what it takes meanwhile; whoever made it removes it
	Say func(format string, args ...any) // tells how far it is
	NPM []byte                           // the archive that [FetchNPM] gets, for recipes that want it
}

// Make writes the root file system of the recipe to out, as a tar. It takes root.
//
// The programs run in a process and a mount namespace of their own where the kernel gives one: when we are killed, all
// of them are gone at once, and so is what they have mounted.
func (m Maker) Make(ctx context.Context, r Recipe, out io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("cannot make a root file system: it takes root")
	}
	m.Env = settings.Set(m.withAptProxy(ctx), "TMPDIR", m.Dir)
	overlay := filepath.Join(m.Dir, "overlay.tar")
	if err := m.writeOverlay(r, overlay); err != nil {
		return err
	}
	if err := m.writeConfig(r); err != nil {
		return err
	}
	packages := r.Packages()
	apart := m.apart(ctx)
	if _, err := proc.LookPath(m.Env, "mmdebstrap"); err == nil {
		return m.mmdebstrap(ctx, r, apart, packages, overlay, out)
	}
	if _, err := proc.LookPath(m.Env, "debootstrap"); err != nil {
		return errors.New("cannot make a root file system: neither mmdebstrap nor debootstrap is here; install mmdebstrap, or give the tar of one with --from")
	}
	if apart == nil {
		return errors.New("cannot make a root file system with debootstrap where no namespace can be made; install mmdebstrap")
	}
	return m.debootstrap(ctx, r, apart, packages, overlay, out)
}

// apart are the words with which a program runs in namespaces of its own, nil where there are none to have.
func (m Maker) apart(ctx context.Context) []string {
	words := []string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}
	if _, err := proc.Output(ctx, proc.Cmd{Args: append(words, "true"), Env: m.Env}); err != nil {
		return nil
	}
	return words
}

// withAptProxy is the environment with the proxy that apt is configured to use.
func (m Maker) withAptProxy(ctx context.Context) []string {
	said, err := proc.Output(ctx, proc.Cmd{Args: []string{"apt-config", "dump", "--format", "%f %v%n", aptProxyKey}, Env: m.Env})
	proxy := aptProxy(said)
	if err != nil || proxy == "" {
		return m.Env
	}
	return settings.Set(m.Env, "http_proxy", proxy)
}

const aptProxyKey = "Acquire::http::Proxy"

// aptProxy is the proxy of all hosts among the lines KEY VALUE; the keys below that one are of single hosts.
func aptProxy(lines string) string {
	for line := range strings.Lines(lines) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key != aptProxyKey {
			continue
		}
		if value == "DIRECT" || value == "false" {
			return ""
		}
		return value
	}
	return ""
}

// writeConfig writes the sources of packages, and what dpkg is told: what to leave out, and not to wait for the disk.
func (m Maker) writeConfig(r Recipe) error {
	var dpkg strings.Builder
	dpkg.WriteString("force-unsafe-io\n")
	for _, path := range without() {
		dpkg.WriteString("path-exclude=" + path + "\n")
	}
	list := strings.Join(r.lines(), "\n") + "\n"
	return errors.Join(os.WriteFile(filepath.Join(m.Dir, "sources.list"), []byte(list), 0o644),
		os.WriteFile(filepath.Join(m.Dir, "dpkg.cfg"), []byte(dpkg.String()), 0o644))
}

// essential is where dpkg finds it. It comes when the essential packages are unpacked, each of which mmdebstrap would send
// through a filter of its own; what they have brought of that kind, finish takes away.
const essential = " /etc/dpkg/dpkg.cfg.d/99stack"

func (m Maker) mmdebstrap(ctx context.Context, r Recipe, apart, packages []string, overlay string, out io.Writer) error {
	args := append(apart, "mmdebstrap", "--mode=root", "--variant=apt", "--format=tar", "--include="+strings.Join(packages, ","),
		`--aptopt=Apt::Install-Recommends "false"`, "--essential-hook=upload "+filepath.Join(m.Dir, "dpkg.cfg")+essential)
	for _, s := range r.Sources {
		if s.Key != "" {
			args = append(args, "--essential-hook=mkdir -p \"$1"+filepath.Dir(s.Key)+"\"", "--essential-hook=upload "+s.Key+" "+s.Key)
		}
	}
	args = append(args, "--customize-hook=tar-in "+overlay+" /", `--customize-hook=chroot "$1" /bin/sh /.finish`, r.Suite, "-", "-")
	return m.run(ctx, args, strings.Join(r.lines(), "\n")+"\n", out)
}

// debootstrap takes longer: it makes the smallest Debian there is and has that install the rest.
func (m Maker) debootstrap(ctx context.Context, r Recipe, apart, packages []string, overlay string, out io.Writer) error {
	first := r.Sources[0]
	for _, s := range r.Sources {
		if s.Suite == r.Suite {
			first = s
			break
		}
	}
	args := append(apart, "/bin/sh", "-euc", debootstrapScript, "debootstrap", m.Dir, r.Suite, first.URI, first.Key, overlay)
	return m.run(ctx, append(args, packages...), "", out)
}

// run runs the program whose stdout is the tar, and says what it says of its steps.
func (m Maker) run(ctx context.Context, args []string, stdin string, out io.Writer) error {
	said := &steps{say: m.Say}
	err := proc.Run(ctx, proc.Cmd{Args: args, Env: m.Env, Stdin: strings.NewReader(stdin), Stdout: out, Stderr: said, Tied: true})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("cannot make a root file system: %w; the last it said:\n%s", err, said.tail())
	}
	return err
}

// steps are the lines of a program's stderr: those that say what it does are passed on, the others are kept for the case
// that it fails.
type steps struct {
	say  func(string, ...any)
	rest []byte
	last [][]byte
}

func (s *steps) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		s.rest = rest
		line = bytes.TrimSpace(line[bytes.LastIndexByte(line, '\r')+1:])
		if text, ok := bytes.CutPrefix(line, []byte("I: ")); ok && s.say != nil && !isDetail(text) {
			s.say("%s", text)
		}
		if len(line) > 0 {
			s.last = append(s.last, bytes.Clone(line))
		}
		if len(s.last) > 12 {
			s.last = s.last[1:]
		}
	}
}

// isDetail tells the lines that debootstrap prints for each package, and those of mmdebstrap about our own hooks.
func isDetail(text []byte) bool {
	word, rest, _ := bytes.Cut(text, []byte(" "))
	switch string(word) {
	case "Retrieving", "Validating", "Extracting", "Unpacking", "Configuring":
		return true
	case "running":
		return bytes.HasPrefix(rest, []byte("--")) || bytes.HasPrefix(rest, []byte("special hook"))
	}
	return false
}

func (s *steps) tail() string { return string(bytes.Join(append(s.last, s.rest), []byte("\n"))) }
