package nginxvhosts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// checkAccess tells whether nginx' workers may look at the files that choose. A worker that may not would take them for
// missing, and send everybody to the first upstream whatever was deployed.
func checkAccess(master int, files ...string) error {
	for pid := range workers(master) {
		who, err := identityOf(pid)
		if err != nil {
			continue // it has ended
		}
		for _, file := range files {
			if err := who.mayReach(filepath.Dir(file)); err != nil {
				return err
			}
		}
		return nil
	}
	return nil // nginx is down, and a reload will say so
}

// identity is whom the kernel takes a process for.
type identity struct {
	uid    uint32
	groups []uint32
}

func identityOf(pid int) (identity, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return identity{}, err
	}
	return parseIdentity(string(data))
}

// parseIdentity reads the effective user and all groups from the text of /proc/PID/status.
func parseIdentity(status string) (who identity, err error) {
	found := false
	for line := range strings.Lines(status) {
		name, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		switch {
		case name == "Uid" && len(fields) == 4:
			n, err := strconv.ParseUint(fields[1], 10, 32)
			if err != nil {
				return who, err
			}
			who.uid, found = uint32(n), true
		case name == "Gid" && len(fields) == 4, name == "Groups":
			for _, f := range fields {
				n, err := strconv.ParseUint(f, 10, 32)
				if err != nil {
					return who, err
				}
				who.groups = append(who.groups, uint32(n))
			}
		}
	}
	if !found {
		return who, fmt.Errorf("cannot tell the user of a process: no Uid line")
	}
	return who, nil
}

// mayReach refuses when a directory on the way to dir is closed to who.
func (who identity) mayReach(dir string) error {
	for ; ; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err != nil {
			return err
		}
		owner := st.Sys().(*syscall.Stat_t)
		bit := os.FileMode(0o001)
		switch {
		case who.uid == 0:
			bit = 0
		case who.uid == owner.Uid:
			bit = 0o100
		case slices.Contains(who.groups, owner.Gid):
			bit = 0o010
		}
		if st.Mode().Perm()&bit != bit {
			return fmt.Errorf("cannot switch: nginx' workers (user %d) may not enter %q; open it with: chmod o+x %s", who.uid, dir, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
