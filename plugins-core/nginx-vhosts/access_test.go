package nginxvhosts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseIdentity(t *testing.T) {
	t.Parallel()
	who, err := parseIdentity("Name:\tnginx\nUid:\t0\t33\t33\t33\nGid:\t33\t33\t33\t33\nGroups:\t33 44 \n")
	if err != nil || who.uid != 33 || len(who.groups) != 6 || who.groups[5] != 44 {
		t.Errorf("got %+v, %v", who, err)
	}
	for _, bad := range []string{"", "Uid:\tx\tx\tx\tx\n", "Uid:\t1\n", "Uid:\t1\t1\t1\t1\nGroups:\tx\n"} {
		if who, err := parseIdentity(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, who)
		}
	}
}

func TestMayReach(t *testing.T) {
	t.Parallel()
	// Not t.TempDir, whose parents are closed to others.
	top, err := os.MkdirTemp("/tmp", "reach")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	dir := filepath.Join(top, "a", "b")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	other := identity{uid: 65533, groups: []uint32{65533}}
	root := identity{}
	me := identity{uid: uint32(os.Geteuid())}
	for _, c := range []struct {
		mode  os.FileMode
		who   identity
		wants bool
	}{{0o755, other, true}, {0o750, other, false}, {0o711, other, true}, {0o700, me, true}, {0o700, root, true}} {
		if err := os.Chmod(filepath.Join(top, "a"), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(top, 0o755); err != nil {
			t.Fatal(err)
		}
		err := c.who.mayReach(dir)
		if (err == nil) != c.wants {
			t.Errorf("mode %o, user %d: got %v, want reachable: %v", c.mode, c.who.uid, err, c.wants)
		}
		if err != nil && !strings.Contains(err.Error(), "chmod o+x "+filepath.Join(top, "a")) {
			t.Errorf("got %v, want the directory and what to do", err)
		}
	}
}
