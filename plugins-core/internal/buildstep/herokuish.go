package buildstep

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// importDir is where herokuish takes a tree from that is not in /app.
const importDir = "/tmp/app"

// herokuish is as much of that program as plugins call that were made for its image (toolchain-2014, section 9.7).
func herokuish(args []string, stdout, stderr io.Writer) int {
	words := strings.Join(args[:min(2, len(args))], " ")
	rest := args[min(2, len(args)):]
	switch words {
	case "buildpack build":
		if err := importTree(); err != nil {
			fmt.Fprintf(stderr, " !     cannot take over %s: %v\n", importDir, err)
			return 1
		}
		return Main([]string{"builder"}, stdout, stderr)
	case "buildpack list":
		return listBuildpacks(stdout, stderr)
	case "procfile start":
		return Main(append([]string{"start"}, rest...), stdout, stderr)
	case "procfile exec":
		return Main(append([]string{"exec"}, rest...), stdout, stderr)
	case "procfile parse":
		if len(rest) != 1 {
			fmt.Fprintln(stderr, " !     cannot parse the Procfile: give one process type")
			return 2
		}
		line, err := command(rest[0])
		if err != nil {
			fmt.Fprintf(stderr, " !     %v\n", err)
			return 1
		}
		fmt.Fprintln(stdout, line)
		return 0
	case "paths":
		fmt.Fprintf(stdout, "APP_PATH=%s\nENV_PATH=%s\nBUILD_PATH=%s\nCACHE_PATH=%s\nIMPORT_PATH=%s\nBUILDPACK_PATH=%s\n",
			appDir, EnvDir, appDir, cacheDir, importDir, buildpackDir)
		return 0
	}
	fmt.Fprintf(stderr, " !     cannot run herokuish %s: want buildpack build, buildpack list, procfile start, procfile exec, procfile parse or paths\n", words)
	return 2
}

// importTree copies what is there into /app, if that is empty.
func importTree() error {
	empty, err := isEmpty(appDir)
	if err != nil || !empty {
		return err
	}
	if none, err := isEmpty(importDir); err != nil || none {
		return err
	}
	out, err := exec.Command("cp", "-a", importDir+"/.", appDir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w", strings.TrimSpace(string(out)), err)
	}
	return nil
}

func listBuildpacks(stdout, stderr io.Writer) int {
	entries, err := os.ReadDir(buildpackDir)
	if err != nil {
		fmt.Fprintf(stderr, " !     cannot list the buildpacks: %v\n", err)
		return 1
	}
	for _, e := range entries {
		fmt.Fprintln(stdout, e.Name())
	}
	return 0
}
