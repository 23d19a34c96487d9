package testscripts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCrashedUnchanged kills pushes of a tree that was built before, of which nothing is built, at points of a deploy.
func TestCrashedUnchanged(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	c := newCrashes(t)
	c.g.write(t, c.g.dir, "Procfile", "web: mkdir /tmp/w && cp version /tmp/w/index.html && cd /tmp/w && exec python3 -m http.server $PORT\n")
	if err := os.Remove(filepath.Join(c.g.dir, "Dockerfile")); err != nil {
		t.Fatal(err)
	}
	c.push("one")
	for i, point := range []string{"deploy-begun", "deploy-started", "deploy-switched", "deploy-committed", "deploy-promoted", "deploy-ended"} {
		c.g.git(t, "commit", "-q", "--allow-empty", "-m", "the same")
		c.versions[c.g.git(t, "rev-parse", "HEAD")] = "one"
		out, err := c.g.pushWith("DOKKU_FAILPOINT=" + point)
		if err == nil || !strings.Contains(out, "Source is unchanged since v1:") {
			t.Errorf("%s: the push was not killed, or something was built\n%s", point, out)
		}
		c.next(i, "a push of the same", point)
	}
	t.Logf("%d pushes killed, %d survived", c.tried, c.survived)
}
