package testscripts

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clock is the wall clock of the programs in a directory, that of the host but for a number of seconds in the file clock
// beside them. Their monotonic clock is the host's.
type clock struct{ bin string }

func (c clock) shift(t *testing.T, by time.Duration) {
	t.Helper()
	name := filepath.Join(c.bin, "clock")
	if err := os.WriteFile(name+".new", []byte(strconv.Itoa(int(by.Seconds()))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// shiftSource is the Now of such programs, beside the one of the host that is called hostNow.
const shiftSource = `
func Now() Time {
	t := hostNow()
	by := shiftOfTest()
	if by == 0 || t.wall&hasMonotonic == 0 {
		return t
	}
	sec := t.wall<<1>>(nsecShift+1) + uint64(by)
	return Time{hasMonotonic | sec<<nsecShift | t.wall&nsecMask, t.ext, Local}
}

func shiftOfTest() int64 {
	var name [256]byte
	n, err := syscall.Readlink("/proc/self/exe", name[:])
	for n > 0 && name[n-1] != '/' {
		n--
	}
	fd, err := open(string(name[:n]) + "clock")
	if err != nil {
		return 0
	}
	defer closefd(fd)
	n, err = read(fd, name[:])
	if err != nil {
		return 0
	}
	by, _ := atoi(string(name[:n]))
	return int64(by)
}
`

// newClock builds the programs with a package time of which the clock can be set: no host's clock is touched.
func newClock(t *testing.T) clock {
	t.Helper()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	edit := func(name, from, to, more string) {
		file := filepath.Join(strings.TrimSpace(string(goroot)), "src/time", name)
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(source), from, to, 1) + more
		if !strings.Contains(text, to) {
			t.Fatalf("%s of %s is not as it was: this test has to learn it again", file, runtime.Version())
		}
		replace[file] = filepath.Join(dir, name)
		if err := os.WriteFile(replace[file], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	edit("time.go", "//go:linkname Now\n\n// Now returns the current local time.\nfunc Now() Time {\n", "func hostNow() Time {\n", "")
	// What is sent on the channel of a timer is asked for by the runtime, which may not open files then.
	edit("sleep.go", "Now()", "hostNow()", "")
	edit("sys_unix.go", "package time\n", "package time\n", shiftSource)
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, data, 0o644); err != nil {
		t.Fatal(err)
	}
	bin, err := os.MkdirTemp("", "dokku-clock-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(bin) }) // only disk
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := buildPrograms(bin, "-overlay="+overlay); err != nil {
		t.Fatal(err)
	}
	return clock{bin}
}

// TestClock deploys while the wall clock is set, a year ahead, and with DOKKU_TEST_FULL a day back and to 1970: releases
// are in the order of their numbers, and an old container gets its time, not less and not for ever.
func TestClock(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers, sshd and nginx: not in short mode")
	}
	t.Parallel()
	c := newClock(t)
	p := newPlatformOf(t, nil, c.bin)
	if err := appendFile(p.root+"/dokkurc", "export DOKKU_WAIT_TO_RETIRE=3 DOKKU_WATCH=1\n"); err != nil {
		t.Fatal(err)
	}
	k := &crashes{t: t, p: p}
	k.app("clock")
	k.push("at first")
	const day = 24 * time.Hour
	shifts := []time.Duration{365 * day}
	if os.Getenv("DOKKU_TEST_FULL") != "" {
		shifts = append(shifts, -day, -time.Since(time.Unix(3600, 0)))
	}
	for _, by := range shifts {
		k.jumping(c, by)
		c.shift(t, by)
		k.push(fmt.Sprint("shifted by ", by))
		k.retires()
		if out, err := k.p.command(nil, c.bin+"/dokku", "rollback", k.g.name).CombinedOutput(); err != nil {
			t.Errorf("shifted by %v: rollback: %v\n%s", by, err, out)
		}
		c.shift(t, 0)
		if err := k.g.agree(k.versions); err != nil {
			t.Errorf("shifted by %v: %v", by, err)
		}
	}
	all, current, err := p.releases(k.g.name)
	if err != nil || current == nil {
		t.Fatalf("there is no current release: %v", err)
	}
	for i, r := range all {
		if r.Outcome != "deployed" || i > 0 && r.Number != all[i-1].Number-1 {
			t.Errorf("release %d is %s, after %v", r.Number, r.Outcome, all[max(0, i-1)])
		}
	}
	if current.Number != all[0].Number || len(all) != 1+3*len(shifts) {
		t.Errorf("the current release is %d of %d, the first of the list %d", current.Number, len(all), all[0].Number)
	}
	k.certificate(c, 366*day)
	t.Logf("%d clocks, %d releases", len(shifts), len(all))
}

// jumping pushes while the clock is set to and fro.
func (k *crashes) jumping(c clock, by time.Duration) {
	k.t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(80 * time.Millisecond):
				c.shift(k.t, time.Duration(i%2)*by)
			}
		}
	}()
	k.push(fmt.Sprint("to and fro by ", by))
	close(stop)
	<-done
	k.retires()
}

// retires waits until the old container is gone, and sees that it had its three seconds.
func (k *crashes) retires() {
	k.t.Helper()
	began := time.Now()
	for containers := 2; containers > 1; time.Sleep(100 * time.Millisecond) {
		out, err := k.p.command(nil, "docker", "ps", "-q", "--filter", "label=com.dokku.app-name="+k.g.name, "--filter", "label=com.dokku.instance="+k.p.root).Output()
		if err != nil {
			k.t.Fatal(err)
		}
		containers = len(strings.Fields(string(out)))
		if took := time.Since(began); containers > 1 && took > 30*time.Second {
			k.t.Errorf("the old container is still there after %v", took)
			return
		} else if containers < 2 && took < time.Second {
			k.t.Errorf("the old container had %v after the push", took)
		}
	}
}

// certificate has doctor call a certificate expired that will be so.
func (k *crashes) certificate(c clock, by time.Duration) {
	k.t.Helper()
	dokku := func(args ...string) string {
		out, _ := k.p.command(nil, append([]string{c.bin + "/dokku"}, args...)...).CombinedOutput() // doctor fails when it finds something
		return string(out)
	}
	out := dokku("certs:generate", k.g.name, k.g.name+".example.com")
	for _, shift := range []time.Duration{0, by} {
		c.shift(k.t, shift)
		if got := dokku("doctor"); strings.Contains(got, "expired") != (shift != 0) {
			k.t.Errorf("shifted by %v, doctor says\n%s\n%s", shift, got, out)
		}
	}
	c.shift(k.t, 0)
}
