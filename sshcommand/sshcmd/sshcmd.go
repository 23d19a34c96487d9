// Package sshcmd is the sshcommand command: it makes a system user into a single command that is run over SSH, and
// keeps the list of the keys that may run it.
//
// sshcommand create USER COMMAND writes COMMAND to ~USER/.sshcommand. sshcommand acl-add USER NAME puts a key into
// ~USER/.ssh/authorized_keys with a forced command that runs what .sshcommand says at the time of the login, with the
// words of the client behind it and NAME and FINGERPRINT of the key in its environment. Nothing else can be reached with
// that key. See package authkeys for the line.
//
// Every command is a method of tool, which holds what the commands share; one command per file.
package sshcmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

// Main runs sshcommand with the arguments args, of which the first is the name of the program, and returns its exit
// status: 0, or 1 for anything that went wrong, wrong usage included.
func Main(args []string) int {
	t := &tool{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, lookup: lookupAccount}
	t.settings = loadSettings(os.Getenv, defaultsFiles, t.warn)
	return t.main(args)
}

// tool is one run of sshcommand.
type tool struct {
	settings
	stdin          io.Reader
	stdout, stderr io.Writer
	lookup         func(name string) (account, error) // *noUserError: there is no such user
}

func (t *tool) main(args []string) int {
	args = append([]string{"sshcommand"}, args[min(1, len(args)):]...)
	if len(args) > 1 {
		args[1] = strings.ToLower(args[1])
	}
	err := t.app().Run(args)
	if err == nil {
		return 0
	}
	t.report(err)
	return 1
}

// report is the one place that prints errors.
//
//	sshcommand: cannot ...
//	sshcommand: hint: ...
//
// Texts that scripts have matched for years come as *textError and are printed as they are.
func (t *tool) report(err error) {
	var text *textError
	switch {
	case errors.As(err, &text):
		if text.text != "" {
			fmt.Fprintln(t.stderr, text.text)
		}
	default:
		fmt.Fprintf(t.stderr, "sshcommand: %v\n", err)
	}
	var hint interface{ Hint() string }
	if errors.As(err, &hint) && hint.Hint() != "" {
		fmt.Fprintf(t.stderr, "sshcommand: hint: %s\n", hint.Hint())
	}
}

// textError is an error whose wording is part of the interface. An empty text means that all has been said.
type textError struct{ text, hint string }

func (e *textError) Error() string { return e.text }

// Hint returns what to do about it.
func (e *textError) Hint() string { return e.hint }

// hintError adds a hint to an error.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// Hint returns what to do about it.
func (e *hintError) Hint() string { return e.hint }

// warn says what the user should know although the command goes on.
func (t *tool) warn(format string, args ...any) {
	fmt.Fprintf(t.stderr, "sshcommand: warning: "+format+"\n", args...)
}

// verbose says what only SSHCOMMAND_VERBOSE_OUTPUT wants to know.
func (t *tool) verbose(format string, args ...any) {
	if t.verboseOutput {
		fmt.Fprintf(t.stderr, format+"\n", args...)
	}
}

// tracef shows a step that changes the system, for SSHCOMMAND_TRACE.
func (t *tool) tracef(format string, args ...any) {
	if t.trace {
		fmt.Fprintf(t.stderr, "+ "+format+"\n", args...)
	}
}

// usageError is wrong usage of the command of c.
func usageError(c *cli.Context) error {
	return &textError{text: "Usage: sshcommand " + strings.TrimSpace(c.Command.Name+" "+c.Command.ArgsUsage)}
}

var errInvalidCommand = &textError{text: "Invalid command"}
