package rawenv_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/rawenv"
)

// TestMain is the program that restores variables where a test runs itself by its name.
func TestMain(m *testing.M) {
	if os.Args[0] == rawenv.Program {
		os.Exit(rawenv.Main(os.Args[1:], os.Environ(), os.Stderr))
	}
	os.Exit(m.Run())
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ env, want []string }{
		{nil, nil},
		{[]string{"A=é", "B=dokku-base64:/w=="}, []string{"A=é", "B=dokku-base64:/w=="}},
		{[]string{"A=1", "B=\xff\xfe"}, []string{"A=1", "B=dokku-base64://4="}},
		{[]string{"B=\xff", "C=dokku-base64:/w==", "D="}, []string{"B=dokku-base64:/w==", "C=dokku-base64:ZG9ra3UtYmFzZTY0Oi93PT0=", "D="}},
	} {
		got, ok := rawenv.Encode(c.env)
		if !slices.Equal(got, c.want) || ok == slices.Equal(got, c.env) {
			t.Errorf("%q: got %q, %v, want %q", c.env, got, ok, c.want)
		}
		if back := rawenv.Decode(got); ok && !slices.Equal(back, c.env) {
			t.Errorf("%q: came back as %q", c.env, back)
		}
	}
	// What docker's options have put in the place of a value.
	other := []string{"A=dokku-base64:", "B=dokku-base64:no base64", "C=/w==", "D"}
	if got, want := rawenv.Decode(other), []string{"A=", "B=dokku-base64:no base64", "C=/w==", "D"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMainProgram becomes a program, by its path and by PATH, which may have such bytes itself.
func TestMainProgram(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(env []string, args ...string) (string, string, int) {
		var out, diag bytes.Buffer
		cmd := &exec.Cmd{Path: self, Args: append([]string{rawenv.Program}, args...), Env: env, Stdout: &out, Stderr: &diag}
		_ = cmd.Run() // its status tells
		return out.String(), diag.String(), cmd.ProcessState.ExitCode()
	}
	want := []string{"PATH=/\xff:/usr/bin:/bin", "BAD=a\xffb\n", "SSH_ORIGINAL_COMMAND=x"}
	env, _ := rawenv.Encode(want)
	for _, program := range []string{"env", "/usr/bin/env"} {
		if out, diag, status := run(env, program, "-0"); status != 0 || out != strings.Join(want, "\x00")+"\x00" {
			t.Errorf("%s: got %q, %q, %d, want %q", program, out, diag, status, want)
		}
	}
	for _, c := range []struct {
		args   []string
		status int
		text   string
	}{
		{nil, 2, "cannot start nothing: give a program"},
		{[]string{"no-such-program"}, 127, `cannot start "no-such-program": it is not in PATH`},
		{[]string{"/no/such"}, 127, `cannot start "/no/such": no such file or directory`},
		{[]string{"/etc/passwd"}, 126, `cannot start "/etc/passwd": permission denied`},
	} {
		if out, diag, status := run(env, c.args...); out != "" || diag != " !     "+c.text+"\n" || status != c.status {
			t.Errorf("%q: got %q, %q, %d, want %q, %d", c.args, out, diag, status, c.text, c.status)
		}
	}
}

// FuzzEncode has any two values come through JSON.
func FuzzEncode(f *testing.F) {
	f.Add("\xff\xfe", "x")
	f.Add("dokku-base64:", "\xc3")
	f.Add("dokku-base64:/w==", "\xe2\x82")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		want := []string{"A=" + a, "B=" + b}
		env, ok := rawenv.Encode(want)
		text, err := json.Marshal(env)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if ok {
			got = rawenv.Decode(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
