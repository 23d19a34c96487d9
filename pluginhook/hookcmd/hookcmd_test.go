package hookcmd_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestArguments has what may stand on the command line.
func TestArguments(t *testing.T) {
	t.Parallel()
	const show = "#!/bin/sh\nfor a; do printf '[%s]' \"$a\"; done\n"
	path := plugins(t, map[string]string{"a/text": show, "a/help": show, "a/h": show, "a/-p": show, "a/version": show})
	for _, test := range []struct {
		args   []string
		out    string
		status int
		err    string // part of stderr
	}{
		{[]string{"text", "-p", "--", "--help", "x y", "", "-x"}, "[-p][--][--help][x y][][-x]", 0, ""},
		{[]string{"-p", "text", "-x", "--list"}, "[-x][--list]", 0, ""},
		{[]string{"--parallel", "text", "1"}, "[1]", 0, ""},
		{[]string{"-parallel", "--x=false", "text", "1"}, "[1]", 0, ""},
		{[]string{"-b", "-k", "--stdin", "text", "1"}, "[1]", 0, ""},
		{[]string{"--timeout", "9s", "text", "1"}, "[1]", 0, ""},
		{[]string{"-timeout=9s", "--", "text", "--", "1"}, "[--][1]", 0, ""},
		{[]string{"--", "-p", "1"}, "[1]", 0, ""},
		{[]string{"help", "1"}, "[1]", 0, ""},
		{[]string{"h", "1"}, "[1]", 0, ""},
		{[]string{"--p", "help", "1"}, "[1]", 0, ""},
		{[]string{"-p", "version", "1"}, "[1]", 0, ""},
		{[]string{"text", "--generate-bash-completion"}, "[--generate-bash-completion]", 0, ""},
		{[]string{"-p", "text", "--generate-bash-completion"}, "[--generate-bash-completion]", 0, ""},
		{[]string{"--list", "text"}, path + "/a/text\n", 0, ""},
		{[]string{"-x", "text", "1"}, "[1]", 0, "+ " + path + "/a/text 1\n"},
		{[]string{"-z", "text"}, "", 2, "pluginhook: flag provided but not defined: -z (see pluginhook --help)\n"},
		{[]string{"--timeout", "text"}, "", 2, "pluginhook: invalid value"},
		{[]string{"--timeout", "-1s", "text"}, "", 2, "pluginhook: cannot use --timeout -1s"},
		{[]string{"--timeout", "0s", "text"}, "", 2, "pluginhook: cannot use --timeout 0s: it has to be longer than 0"},
		{[]string{"--timeout"}, "", 2, "pluginhook: flag needs an argument"},
		{[]string{"-k", "text"}, "", 2, "pluginhook: cannot use --keep-going without --broadcast"},
		{[]string{"--stdin", "text"}, "", 2, "pluginhook: cannot use --stdin without --broadcast"},
		{[]string{"-b", "-p", "text"}, "", 2, "pluginhook: cannot use --broadcast with --parallel"},
		{[]string{}, "", 1, " [ERROR] Hook name argument is required\n"},
		{[]string{"-p"}, "", 1, " [ERROR] Hook name argument is required\n"},
		{[]string{""}, "", 1, `pluginhook: cannot run hook "": a hook is named by a file name`},
		{[]string{"a/text"}, "", 1, `pluginhook: cannot run hook "a/text": a hook is named by a file name`},
		{[]string{"-b", ".."}, "", 1, `pluginhook: cannot run hook "..": a hook is named by a file name`},
		{[]string{"nothing"}, "", 0, ""},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			out, errs, status := output(t, pluginhook(t, path, test.args...))
			if out != test.out || status != test.status || !strings.Contains(errs, test.err) || (errs == "") != (test.err == "") {
				t.Errorf("got %q, status %d, stderr %q\nwant %q, status %d, stderr %q", out, status, errs, test.out, test.status, test.err)
			}
			if strings.Count(errs, "\n") > 1 {
				t.Errorf("more than one line: %q", errs)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{"--help": "Usage: pluginhook", "-h": "Usage: ", "-help": "Usage: ", "--version": "pluginhook ", "-v": "pluginhook "} {
		out, errs, status := output(t, pluginhook(t, "", args))
		if status != 0 || errs != "" || !strings.Contains(out, want) {
			t.Errorf("%s: got %q, %q, status %d", args, out, errs, status)
		}
	}
}

// TestNoPath checks the old message, and that it comes before the one about the hook's name.
func TestNoPath(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"text"}, {"-p"}} {
		_, errs, status := output(t, pluginhook(t, "", args...))
		date, text, _ := strings.Cut(errs, " [")
		if status != 1 || len(date) != len("2006/01/02 15:04:05") || text != "ERROR] Unable to locate plugins: set $PLUGIN_PATH\n" {
			t.Errorf("%q: got %q, status %d", args, errs, status)
		}
	}
}

// TestClosedFiles runs with stdin, stdout or stderr closed, in each mode: no hang, nothing lost on the others.
func TestClosedFiles(t *testing.T) {
	t.Parallel()
	path := plugins(t, map[string]string{"a/text": "#!/bin/sh\ncat\necho a\necho e >&2\n", "b/text": "#!/bin/sh\ncat\necho b\n"})
	for _, mode := range []string{"", "-p ", "-b "} {
		for closed, want := range map[string]string{"<&-": "a\nb\ne\n", ">&-": "e\n", "2>&-": "a\nb\n", "<&- >&- 2>&-": ""} {
			self := pluginhook(t, path)
			cmd := exec.Command("sh", "-c", self.Path+" "+mode+"text "+closed)
			cmd.Env = self.Env
			out, errs, status := output(t, cmd)
			if out+errs != want || status != 0 {
				t.Errorf("%s%s: got %q, stderr %q, status %d", mode, closed, out, errs, status)
			}
		}
	}
}

// TestBrokenOutput has a reader that goes away: the status says so, without a line about it.
func TestBrokenOutput(t *testing.T) {
	t.Parallel()
	path := plugins(t, map[string]string{"a/text": "#!/bin/sh\nexec cat /dev/zero\n"})
	for _, args := range [][]string{{"text"}, {"-p", "text"}, {"-b", "text"}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		var errs bytes.Buffer
		cmd := pluginhook(t, path, args...)
		cmd.Stdout, cmd.Stderr = w, &errs
		cmd.Run()
		w.Close()
		if code := cmd.ProcessState.ExitCode(); code != 141 || errs.Len() > 0 {
			t.Errorf("%q: status %d, stderr %q", args, code, &errs)
		}
	}
}

// TestNohup checks that a signal that was ignored when we started stays ignored, for the hooks too.
func TestNohup(t *testing.T) {
	t.Parallel()
	path := plugins(t, map[string]string{"a/text": "#!/bin/sh\nkill -HUP $PPID\nkill -HUP $$\necho alive\n"})
	self := pluginhook(t, path)
	cmd := exec.Command("sh", "-c", "trap '' HUP; "+self.Path+" text")
	cmd.Env = self.Env
	if out, errs, status := output(t, cmd); out != "alive\n" || status != 0 {
		t.Errorf("got %q, %q, status %d", out, errs, status)
	}
}

func FuzzArguments(f *testing.F) {
	for _, seed := range []string{"-p", "--", "-", "--list", "--timeout=1ns", "-x=maybe", "--help=", "---", "-b=", "\x00", "text", "=", "--stdin=0", "-\xff"} {
		f.Add(seed, "text")
	}
	path := plugins(f, map[string]string{"a/text": "#!/bin/sh\n"})
	f.Fuzz(func(t *testing.T, flag, hook string) {
		if strings.ContainsRune(flag+hook, 0) {
			return // no program can be called so
		}
		_, errs, status := output(t, pluginhook(t, path, flag, hook))
		if status < 0 || status > 2 && status != 124 && status != 126 || strings.Contains(errs, "goroutine") {
			t.Errorf("%q %q: status %d, %q", flag, hook, status, errs)
		}
		if status != 0 && errs == "" {
			t.Errorf("%q %q: status %d without a word", flag, hook, status)
		}
	})
}
