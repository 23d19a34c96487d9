package dockerapi

import (
	"slices"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/rawenv"
)

func TestTakeEntrypoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		options []string
		program string
		rest    []string
		given   bool
	}{
		{nil, "", nil, false},
		{[]string{"-e", "A=b"}, "", []string{"-e", "A=b"}, false},
		{[]string{"--entrypoint", "/a", "-e", "A=b", "--entrypoint=/b"}, "/b", []string{"-e", "A=b"}, true},
		{[]string{"--entrypoint="}, "", nil, true},
		{[]string{"--entrypoint"}, "", []string{"--entrypoint"}, false},
	} {
		program, rest, given := takeEntrypoint(c.options)
		if program != c.program || !slices.Equal(rest, c.rest) || given != c.given {
			t.Errorf("%q: got %q, %q, %v, want %q, %q, %v", c.options, program, rest, given, c.program, c.rest, c.given)
		}
	}
}

// TestRestoring has containers with a value that is no UTF-8 begin with what restores it, before what they begin with
// otherwise; all others stay as they are.
func TestRestoring(t *testing.T) {
	t.Parallel()
	e := &Engine{}
	plain := Spec{Env: []string{"A=é"}, Entrypoint: []string{}, Cmd: []string{"/start", "web"}}
	if got, options, err := e.restoring(t.Context(), plain, []string{"--init"}); err != nil || len(got.Binds) != 0 || len(got.Entrypoint) != 0 ||
		!slices.Equal(got.Env, plain.Env) || !slices.Equal(options, []string{"--init"}) {
		t.Errorf("got %+v, %q, %v, want it unchanged", got, options, err)
	}
	for _, c := range []struct{ entrypoint, cmd, options, want, rest []string }{
		{[]string{}, []string{"/start", "web"}, nil, []string{"/start", "web"}, nil},
		{[]string{"ls"}, []string{"-l"}, []string{"-e", "A=b"}, []string{"ls", "-l"}, []string{"-e", "A=b"}},
		{[]string{}, []string{"/start"}, []string{"--entrypoint=/a", "--init"}, []string{"/a", "/start"}, []string{"--init"}},
		{[]string{"x", "y"}, []string{"z"}, []string{"--entrypoint", "/a"}, []string{"/a", "y", "z"}, nil},
		{nil, []string{"/z"}, []string{"--entrypoint", ""}, []string{"/z"}, nil},
	} {
		got, rest, err := e.restoring(t.Context(), Spec{Env: []string{"A=\xff"}, Entrypoint: c.entrypoint, Cmd: c.cmd}, c.options)
		if err != nil || !slices.Equal(got.Entrypoint, []string{rawenv.Program}) || !slices.Equal(got.Cmd, c.want) || !slices.Equal(rest, c.rest) ||
			len(got.Binds) != 1 || !got.Binds[0].ReadOnly || !slices.Equal(rawenv.Decode(got.Env), []string{"A=\xff"}) {
			t.Errorf("%+v: got %+v, %q, %v", c, got, rest, err)
		}
	}
	if _, _, err := e.restoring(t.Context(), Spec{Env: []string{"A=\xff"}, Entrypoint: []string{}}, nil); err == nil {
		t.Error("no program to run: got no error")
	}
}
