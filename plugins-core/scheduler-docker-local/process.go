package schedulerdockerlocal

import (
	"errors"
	"fmt"
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
	port      int // container port
	container string
	got       *dockerapi.Container
}

// dyno is the process's name, such as web.1.
func (p *process) dyno() string { return fmt.Sprintf("%s.%d", p.kind, p.index) }

// record writes the process's state files.
func (p *process) record(a app.App, got *dockerapi.Container) error {
	port := got.HostPort
	return errors.Join(
		a.SetState("CONTAINER."+p.dyno(), got.ID),
		a.SetState("IP."+p.dyno(), got.IP),
		a.SetState("PORT."+p.dyno(), number(port)),
	)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// stateFiles are the state files that a deploy replaces.
var stateFiles = [...]string{"CONTAINER", "PORT", "IP", "URL", "URLS", "CONTAINER.*", "IP.*", "PORT.*"}

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
	slices.SortFunc(out, func(x, y *process) int {
		if c := strings.Compare(x.kind, y.kind); c != 0 {
			return c
		}
		return x.index - y.index
	})
	return out, nil
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
