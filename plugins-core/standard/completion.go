package standard

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"github.com/dokku-go/dokku/plugins-core/plug"
)

// completions are the scripts for shells. They ask `help` for commands and `apps:list` for apps; neither asks the engine.
//
//go:embed completion
var completions embed.FS

// completion prints the script for one shell. Those of bash and zsh share the functions that ask dokku.
func completion(_ context.Context, c *plug.C) error {
	if len(c.Args) != 1 {
		return c.Usage("cannot print a completion script: name one shell")
	}
	shell := c.Args[0]
	parts := map[string][]string{"bash": {"bash", "common"}, "zsh": {"zsh-head", "common", "zsh"}, "fish": {"fish"}}[shell]
	if parts == nil {
		return c.Usage("cannot complete for %.40q: bash, zsh and fish are known", shell)
	}
	var text strings.Builder
	for _, part := range parts {
		data, err := completions.ReadFile("completion/" + part)
		if err != nil {
			return err
		}
		text.Write(data)
	}
	_, err := fmt.Fprint(c.Stdout, text.String())
	return err
}
