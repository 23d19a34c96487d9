package dockerapi

// launcher is the program of Cloud Native Buildpacks that starts what runs in an image of theirs.
const launcher = "/cnb/lifecycle/launcher"

// Inside is the command line by which words run in a container of the image as they are, with the environment that
// processes of the app have.
func (i *Image) Inside(words []string) []string {
	switch i.Builder {
	case "herokuish":
		return append([]string{"/exec"}, words...)
	case "pack":
		return append([]string{launcher, "--"}, words...)
	}
	return words
}
