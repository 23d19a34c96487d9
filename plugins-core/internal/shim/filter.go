package shim

import (
	"regexp"
	"slices"
	"strings"
)

// latest is what docker ps wrote behind names of images without a tag.
const latest = ":latest"

// withLatest makes of the table of docker ps the one of 2014, whose images have their tags.
func withLatest(table string) string {
	lines := strings.SplitAfter(table, "\n")
	image, command := strings.Index(lines[0], "IMAGE"), strings.Index(lines[0], "COMMAND")
	if image < 0 || command < image {
		return table
	}
	var out strings.Builder
	for _, line := range lines {
		if len(line) < command {
			out.WriteString(line)
			continue
		}
		name := strings.TrimRight(line[image:command], " ")
		padding := strings.Repeat(" ", command-image-len(name))
		if untagged(name) {
			name += latest
		} else {
			padding += strings.Repeat(" ", len(latest))
		}
		out.WriteString(line[:image] + name + padding + line[command:])
	}
	return out.String()
}

// untagged tells whether name is an image's name without a tag; one without a name is shown by its digest.
func untagged(name string) bool {
	base := name[strings.LastIndexByte(name, '/')+1:]
	return base != "" && base != "IMAGE" && !strings.ContainsAny(base, ":@") && !isDigest(base)
}

func isDigest(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789abcdef") == "" }

// oneLine drops the lines of docker port that tell of IPv6, unless there are no others.
func oneLine(text string) string {
	lines := strings.SplitAfter(text, "\n")
	ipv4 := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return strings.Contains(line, "[::]:") || strings.HasPrefix(strings.TrimSpace(line[strings.LastIndex(line, " ")+1:]), ":::")
	})
	if out := strings.Join(ipv4, ""); strings.TrimSpace(out) != "" {
		return out
	}
	return text
}

// newNetworkKeys are the lines of NetworkSettings that 2014 did not have and that look like those it had.
const newNetworkKeys = `^            "(Networks|SecondaryIPAddresses|SecondaryIPv6Addresses|IPv6Gateway|GlobalIPv6Address|GlobalIPv6PrefixLen|LinkLocalIPv6Address|LinkLocalIPv6PrefixLen)": `

// oneAddress makes the NetworkSettings of docker inspect tell a container's address once. Of a container that is in no
// network but one with a name, it is the address there.
func oneAddress(text string) string {
	drop := regexp.MustCompile(newNetworkKeys)
	inner := regexp.MustCompile(`^ {20}"(IPAddress|Gateway)": "([^"]+)"`)
	var out []string
	inside, skip := false, ""
	inNetwork := map[string]string{}
	for line := range strings.Lines(text) {
		bare := strings.TrimRight(line, "\n")
		switch {
		case skip != "":
			if m := inner.FindStringSubmatch(bare); m != nil && inNetwork[m[1]] == "" {
				inNetwork[m[1]] = m[2]
			}
			if strings.TrimSuffix(bare, ",") == skip {
				skip = ""
			}
			continue
		case bare == `        "NetworkSettings": {`:
			inside, inNetwork = true, map[string]string{}
		case inside && strings.TrimSuffix(bare, ",") == "        }":
			inside = false
			out = closed(out)
			for i := len(out) - 1; i >= 0 && out[i] != `        "NetworkSettings": {`+"\n"; i-- {
				for key, value := range inNetwork {
					out[i] = strings.Replace(out[i], `            "`+key+`": ""`, `            "`+key+`": "`+value+`"`, 1)
				}
			}
		case inside && drop.MatchString(bare):
			if strings.HasSuffix(bare, "{") {
				skip = "            }"
			} else if strings.HasSuffix(bare, "[") {
				skip = "            ]"
			}
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "")
}

// closed removes the comma from the last line, which nothing follows any more.
func closed(lines []string) []string {
	if n := len(lines); n > 0 && strings.HasSuffix(lines[n-1], ",\n") {
		lines[n-1] = strings.TrimSuffix(lines[n-1], ",\n") + "\n"
	}
	return lines
}
