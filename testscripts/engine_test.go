package testscripts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// engine is a docker engine beside the host's, with everything of its own, that can be killed and started again.
type engine struct {
	dir, bridge string
	cmd         *exec.Cmd
}

// newEngine starts one. It needs a bridge of its own and leaves the host's packet filter alone: published ports at
// 127.0.0.1 are forwarded by a process.
func newEngine(t *testing.T) *engine {
	t.Helper()
	if findProgram("dockerd") == "" || findProgram("ip") == "" {
		t.Fatal("dockerd or ip is missing: apt-get install docker.io iproute2, or run ./bootstrap.sh test, which does")
	}
	dir, err := os.MkdirTemp("/var/tmp", "dke")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // its socket is for the group docker
		t.Fatal(err)
	}
	e := &engine{dir: dir, bridge: fmt.Sprintf("dke%d", os.Getpid())}
	t.Cleanup(func() {
		if err := e.close(); err != nil {
			t.Errorf("cannot take the engine down: %v", err)
		}
	})
	address := fmt.Sprintf("172.29.%d.1/24", os.Getpid()%250)
	for _, args := range [][]string{{"link", "add", e.bridge, "type", "bridge"}, {"addr", "add", address, "dev", e.bridge}, {"link", "set", e.bridge, "up"}} {
		if out, err := exec.Command(findProgram("ip"), args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *engine) host() string { return "unix://" + e.dir + "/docker.sock" }

func (e *engine) start() error {
	log, err := os.OpenFile(e.dir+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	e.cmd = exec.Command(findProgram("dockerd"), "--data-root", e.dir+"/data", "--exec-root", e.dir+"/run", "--pidfile", e.dir+"/pid",
		"--host", e.host(), "--bridge", e.bridge, "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--group", "docker")
	e.cmd.Stdout, e.cmd.Stderr, e.cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Setsid: true}
	if err := e.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("unix", e.dir+"/docker.sock"); err == nil {
			_ = conn.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
			defer cancel()
			return exec.CommandContext(ctx, "docker", "--host", e.host(), "version").Run()
		}
	}
	text, _ := os.ReadFile(e.dir + "/log")
	return fmt.Errorf("the engine does not start:\n%s", text)
}

// kill ends it as a host that loses power does: the engine, what it has started, and all containers at one moment, and
// /run is empty afterwards.
func (e *engine) kill() error {
	pids := e.processes()
	for range 100 {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if pids = e.processes(); len(pids) == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if len(pids) > 0 {
		return fmt.Errorf("processes %v of the engine do not end", pids)
	}
	_ = e.cmd.Wait() // killed
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	var errs []error
	lines := strings.Split(string(mounts), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if f := strings.Fields(lines[i]); len(f) > 1 && strings.HasPrefix(f[1], e.dir+"/") {
			errs = append(errs, syscall.Unmount(f[1], syscall.MNT_DETACH))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(e.dir+"/run"), os.RemoveAll(e.dir+"/pid"), os.RemoveAll(e.dir+"/docker.sock"))...)
}

// processes are the engine, its containerd, the shims and forwarders, and all below them.
func (e *engine) processes() []int {
	parents := map[int]int{}
	var found []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(f) < 2 || f[0] == "Z" {
			continue
		}
		parents[pid], _ = strconv.Atoi(f[1])
		if line, err := os.ReadFile(filepath.Dir(file) + "/cmdline"); err == nil && strings.Contains(string(line), e.dir) {
			found = append(found, pid)
		}
	}
	ours := map[int]bool{}
	for _, pid := range found {
		ours[pid] = true
	}
	for pid := range parents {
		for p := pid; p > 1; p = parents[p] {
			if ours[p] && !ours[pid] {
				ours[pid] = true
				found = append(found, pid)
			}
		}
	}
	return found
}

func (e *engine) close() error {
	var errs []error
	if e.cmd != nil {
		errs = append(errs, e.kill())
	}
	out, err := exec.Command(findProgram("ip"), "link", "delete", e.bridge).CombinedOutput()
	if err != nil {
		errs = append(errs, fmt.Errorf("ip link delete: %v: %s", err, out))
	}
	return errors.Join(append(errs, os.RemoveAll(e.dir))...)
}
