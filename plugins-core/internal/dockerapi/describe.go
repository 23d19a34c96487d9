package dockerapi

import (
	"context"
	"encoding/json"
	"strings"
)

// Describe returns all that the engine knows of a container, in its own words, but for the values of variables: these are
// nobody's to see who asks how a container was made.
func (e *Engine) Describe(ctx context.Context, id string) (json.RawMessage, error) {
	_, text, err := e.cli.ContainerInspectWithRaw(ctx, id, false)
	if err != nil {
		return nil, explain("inspect container "+short(id), err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, explain("inspect container "+short(id), err)
	}
	if config, ok := all["Config"].(map[string]any); ok {
		vars, _ := config["Env"].([]any)
		for i, kv := range vars {
			name, _, _ := strings.Cut(kv.(string), "=")
			vars[i] = name + "=********"
		}
	}
	return json.Marshal(all)
}
