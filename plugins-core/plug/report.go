package plug

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/dokku-go/dokku/pluginhook"
)

// maxStub is more than the longest stub.
const maxStub = 128

// StubOf returns the plugin whose stub the executable file at path is.
func StubOf(path string) (plugin string, ok bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // in case it is a pipe, which would make us wait
	if err != nil {
		return "", false
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Mode()&0o111 == 0 || st.Size() > maxStub {
		return "", false
	}
	data, err := io.ReadAll(io.LimitReader(f, maxStub+1))
	if err != nil {
		return "", false
	}
	head, tail, _ := strings.Cut(Stub("\x00"), "\x00")
	text, ok := strings.CutPrefix(string(data), head)
	if !ok {
		return "", false
	}
	plugin, ok = strings.CutSuffix(text, tail)
	return plugin, ok && plugin != "" && !strings.ContainsAny(plugin, "\n\r\t ")
}

// UsageError says that the words of a command are wrong; its status is 2.
type UsageError struct{ Text string }

func (e *UsageError) Error() string { return e.Text }

// Report prints what an error has to say that nobody has said yet, a line with the mark of a failure for each, and
// returns the status for it: the one place that prints the errors of dokku and of its core plugins. own is the path of
// the hook that ends with the error: its own status is no news, and neither is the failure of another core hook, which
// has reported itself, in this process or in one of its own.
func Report(stderr io.Writer, own string, err error) int {
	code := 0
	for _, leaf := range leaves(err) {
		status := 1
		var exit *pluginhook.ExitError
		var usage *UsageError
		var signalled *pluginhook.SignalError
		switch {
		case errors.As(leaf, &usage):
			status = 2
		case errors.As(leaf, &exit):
			status = exit.Code
		case errors.As(leaf, &signalled):
			status = 128 + int(signalled.Signal)
		}
		if code == 0 {
			code = status
		}
		if exit, ok := leaf.(*pluginhook.ExitError); ok && told(exit, own) {
			continue
		}
		for line := range strings.SplitSeq(strings.TrimRight(leaf.Error(), "\n"), "\n") {
			fmt.Fprintf(stderr, " !     %s\n", line)
		}
	}
	return code
}

func told(exit *pluginhook.ExitError, own string) bool {
	if exit.Path == own {
		return exit.Err == nil && exit.Signal == 0
	}
	_, core := StubOf(exit.Path)
	return core && exit.Signal == 0 && exit.Err == nil
}

// leaves takes joined errors apart.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, leaves(e)...)
	}
	return out
}
