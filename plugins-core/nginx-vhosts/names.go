package nginxvhosts

import (
	"net"
	"strings"
)

// defaultName is the host name of an app under the global name vhost: "" when vhost is an address, which has no names
// below it (section 7.1). A name with a dot is one already: its own, or one under vhost in full.
func defaultName(app, vhost string) string {
	if net.ParseIP(vhost) != nil {
		return ""
	}
	if strings.Contains(app, ".") {
		return app
	}
	return app + "." + vhost
}

// validHost tells whether s is a host name, or one with "*." before it: letters, digits and hyphens in parts of at most
// 63, 253 in all. Nothing else may reach nginx' files.
func validHost(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if s == "" || len(s) > 253 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || len(part) > 63 || part[0] == '-' || part[len(part)-1] == '-' {
			return false
		}
		for _, r := range part {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' {
				return false
			}
		}
	}
	return true
}
