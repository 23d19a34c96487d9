// Package buildstep is what runs inside the containers of the stack: the builder that turns a tree in /app into an app,
// and the programs /start and /exec that run it (toolchain-2014, section 9). It is part of the dokku program, which
// lies in the stack image as [Program].
package buildstep

import (
	"errors"
	"fmt"
	"io"
)

// Where things are in a container of the stack.
const (
	appDir       = "/app"
	cacheDir     = "/cache"
	buildpackDir = "/build/buildpacks"
	EnvDir       = "/tmp/env"        // a file per variable of the app, as buildpacks read them
	HostEnvDir   = "/tmp/host-env"   // a file per variable that the build's programs see
	InputDir     = "/tmp/host-input" // files with what else the host has to say, see [InputPacks]
	profileDir   = appDir + "/.profile.d"
	releaseFile  = appDir + "/.release"
)

// Unpack is the shell that unpacks the source, a tar on stdin. What follows it has to begin with "|| exit" and a new line:
// scripts that build have several commands.
const Unpack = "mkdir -p " + appDir + " && tar -xC " + appDir

// Program is where the dokku program lies in the stack image.
const Program = "/build/dokku"

// Programs are the names that the program has in the stack image beside that, and the words that [Main] knows it by.
// Herokuish is what plugins call that were made for that image.
func Programs() map[string]string {
	return map[string]string{"build/builder": "builder", "start": "start", "exec": "exec", "run.sh": "run.sh", "bin/herokuish": "herokuish"}
}

// Stack is the name that buildpacks see in STACK, unless the app has a variable STACK: public ones know these names only,
// and what is made for this one runs on the C library of Debian 12.
const Stack = "heroku-22"

// userID owns and runs apps in their containers.
const userID = 32767

// HostVariables are the variables of the host that builds may see: they tell programs where packages come from.
func HostVariables() []string {
	return []string{
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
		"npm_config_registry", "GOPROXY", "GONOSUMDB", "GOSUMDB", "GOFLAGS", "PIP_INDEX_URL", "NODE_EXTRA_CA_CERTS",
	}
}

// Main runs one of the container's programs, builder, start or exec, and returns its status.
func Main(args []string, stdout, stderr io.Writer) int {
	var err error
	program := ""
	if len(args) > 0 {
		program = args[0]
	}
	switch program {
	case "":
		err = usageError("cannot run nothing: want builder, detect, start, exec or static")
	case "builder":
		err = newBuilder(stdout, stderr).run()
	case "detect":
		err = newBuilder(stdout, stderr).showPlan()
	case "static":
		err = serveStatic(args[1:])
	case "start":
		err = start(args[1:])
	case "exec":
		err = execute(args[1:])
	case "run.sh":
		return runSh(args[1:], stdout, stderr)
	case "herokuish":
		return herokuish(args[1:], stdout, stderr)
	default:
		err = usageError(fmt.Sprintf("cannot run %q: want builder, detect, start, exec or static", program))
	}
	var status statusError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintf(stderr, " !     %v\n", err)
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// usageError says that the words are wrong.
type usageError string

func (e usageError) Error() string { return string(e) }
