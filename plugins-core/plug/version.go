package plug

import "runtime/debug"

// version is the version of this source tree when it was not fetched as a module of a known version.
const version = "0.1.0"

// Version is the version of the running program, from the module or the checkout that it was built of.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	return version
}
