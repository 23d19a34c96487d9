package schedulerdockerlocal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
)

// process is one container of an app: the type of its process and its number from 1.
type process struct {
	kind      string
	index     int
	port      int      // container port
	args      []string // docker options of plugins, with those for all processes
	container string
	got       *dockerapi.Container
}

// dyno is the process's name, such as web.1.
func (p *process) dyno() string { return fmt.Sprintf("%s.%d", p.kind, p.index) }

// recordAll writes the state files of the processes that serve and removes those of all others. Each is on the disk
// before it ends; all at once, since a disk takes as long for many as for one.
func recordAll(a app.App, list []*process) error {
	want := map[string]string{"CONTAINER": "", "IP": "", "PORT": ""}
	for _, pattern := range []string{"CONTAINER.*", "IP.*", "PORT.*"} {
		for _, file := range a.StateFiles(pattern) {
			want[file] = ""
		}
	}
	for _, p := range list {
		want["CONTAINER."+p.dyno()], want["IP."+p.dyno()], want["PORT."+p.dyno()] = p.got.ID, p.got.IP, number(p.got.HostPort)
	}
	if p := first(list); p != nil {
		want["CONTAINER"], want["IP"], want["PORT"] = p.got.ID, p.got.IP, number(p.got.HostPort)
	}
	return parallel(slices.Sorted(maps.Keys(want)), func(file string) error { return a.KeepState(file, want[file]) })
}

// first is the process that CONTAINER, PORT and IP are about: the first web process, else the first of all; nil when
// there is none.
func first(list []*process) *process {
	for _, p := range list {
		if p.kind == "web" && p.index == 1 {
			return p
		}
	}
	if len(list) > 0 {
		return list[0]
	}
	return nil
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// runningProcesses reads which containers the app's state files name.
func runningProcesses(a app.App) ([]*process, error) {
	var out []*process
	for _, file := range a.StateFiles("CONTAINER.*") {
		parts := strings.Split(file, ".")
		if len(parts) != 3 {
			continue
		}
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			continue
		}
		out = append(out, &process{kind: parts[1], index: n, container: a.State(file)})
	}
	sortProcesses(out)
	return out, nil
}

func sortProcesses(list []*process) {
	slices.SortFunc(list, func(x, y *process) int {
		if c := strings.Compare(x.kind, y.kind); c != 0 {
			return c
		}
		return x.index - y.index
	})
}

// parallel does f to all items at once and returns what went wrong.
func parallel[T any](items []T, f func(T) error) error {
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() { errs[i] = f(item) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
