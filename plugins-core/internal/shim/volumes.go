package shim

import (
	"encoding/json"
	"strings"
)

// oldVolumes is where docker kept the volumes of containers in 2014. Scripts look for that path in docker inspect, and
// later give it to docker run; the directory itself has not been there for years.
const oldVolumes = "/var/lib/docker/vfs/dir/"

// withVolumes gives each container of docker inspect the table of its volumes that it had: where they are in it, and in
// the host, by their names behind the old path.
func withVolumes(text string) string {
	var containers []struct {
		NetworkSettings json.RawMessage
		Mounts          []struct{ Type, Name, Source, Destination string }
	}
	if json.Unmarshal([]byte(text), &containers) != nil {
		return text
	}
	const before = "        \"NetworkSettings\": {\n"
	var out strings.Builder
	for _, c := range containers {
		head, tail, found := strings.Cut(text, before)
		if c.NetworkSettings == nil || !found {
			continue
		}
		var lines []string
		for _, m := range c.Mounts {
			source := m.Source
			if m.Type == "volume" {
				source = oldVolumes + m.Name
			}
			pair, err := json.Marshal([]string{m.Destination, source})
			if err != nil {
				return text
			}
			key, value, _ := strings.Cut(strings.Trim(string(pair), "[]"), ",")
			lines = append(lines, "            "+key+": "+value)
		}
		out.WriteString(head)
		if len(lines) == 0 {
			out.WriteString("        \"Volumes\": {},\n")
		} else {
			out.WriteString("        \"Volumes\": {\n" + strings.Join(lines, ",\n") + "\n        },\n")
		}
		out.WriteString(before)
		text = tail
	}
	return out.String() + text
}

// volume is the value of -v with the name of a volume in the place of its old path.
func volume(value string) (string, bool) {
	name, ok := strings.CutPrefix(value, oldVolumes)
	if host, _, _ := strings.Cut(name, ":"); !ok || host == "" || strings.Contains(host, "/") {
		return value, false
	}
	return name, true
}
