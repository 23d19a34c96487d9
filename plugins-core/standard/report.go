package standard

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/proc"
	"github.com/dokku-go/dokku/plugins-core/plug"
)

// report prints what somebody asks for who is to help: the host, then what each plugin has to say of apps (hook report).
func report(ctx context.Context, c *plug.C) error {
	if len(c.Args) > 1 {
		return c.Usage("cannot report on %d apps: name one, or none for all", len(c.Args))
	}
	var names []string
	if len(c.Args) == 1 && c.Args[0] != "--all" {
		a, err := c.App(0)
		if err != nil {
			return err
		}
		names = []string{a.Name}
	}
	for _, part := range []struct {
		name string
		of   func(ctx context.Context, c *plug.C) (string, error)
	}{{"uname", kernel}, {"memory", memory}, {"disk", disk}, {"docker version", engineVersion}, {"git version", gitVersion}, {"dokku version", ownVersion}, {"plugins", plugins}} {
		c.Info1("%s:", part.name)
		text, err := part.of(ctx, c)
		if err != nil {
			text = "unknown: " + err.Error()
		}
		for line := range strings.Lines(text) {
			c.Verbose("%s", strings.TrimRight(line, "\n"))
		}
	}
	return c.Trigger(ctx, "report", names...)
}

func kernel(context.Context, *plug.C) (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %s", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]), runtime.GOARCH), nil
}

func memory(context.Context, *plug.C) (string, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	var out []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch name {
		case "MemTotal", "MemAvailable", "SwapTotal", "SwapFree":
			out = append(out, name+" "+strings.TrimSpace(value))
		}
	}
	return strings.Join(out, "\n"), nil
}

func disk(_ context.Context, c *plug.C) (string, error) {
	var st unix.Statfs_t
	root := c.Settings().Root()
	if err := unix.Statfs(root, &st); err != nil {
		return "", err
	}
	size := uint64(st.Bsize)
	return fmt.Sprintf("%s: %d of %d MB free", root, st.Bavail*size>>20, st.Blocks*size>>20), nil
}

func engineVersion(ctx context.Context, c *plug.C) (string, error) {
	engine, err := dockerapi.New(c.Settings())
	if err != nil {
		return "", err
	}
	defer engine.Close()
	return engine.Version(ctx)
}

func gitVersion(ctx context.Context, c *plug.C) (string, error) {
	return proc.Output(ctx, proc.Cmd{Args: []string{"git", "--version"}, Env: c.Env, Dir: "/"})
}

func ownVersion(_ context.Context, c *plug.C) (string, error) { return versionOf(c), nil }

func plugins(_ context.Context, c *plug.C) (string, error) {
	entries, err := os.ReadDir(c.Settings().PluginPath())
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); name != "available" && name != "enabled" && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return strings.Join(names, "\n"), nil
}
