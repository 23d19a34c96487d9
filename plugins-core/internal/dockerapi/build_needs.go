package dockerapi

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/versions"
	"github.com/moby/patternmatcher"

	"github.com/dokku-go/dokku/plugins-core/settings"
)

// The builders of an image.
type builderKind int

const (
	classic    builderKind = iota // the engine's own
	buildKit                      // BuildKit, by the engine's API
	ownCommand                    // docker's own command
)

// BuilderEnv is the variable by which docker is told which builder to use: 0 is the engine's own, as for docker's command.
const BuilderEnv = "DOCKER_BUILDKIT"

// choose says who builds. BuildKit is faster for most sources, so it does what the engine's own builder need not do.
//
// That one is needed where BuildKit does not heed what is asked for: bounds of memory and processors and the like,
// networks of other names; and it alone leaves a Dockerfile out of the image that its .dockerignore leaves out.
// rest are options for which the request has no field.
func (b *imageBuild) choose(ctx context.Context, rest []string) builderKind {
	needs := NeedsBuildKit(b.text)
	switch {
	case len(rest) > 0 || needsSession(b.text):
		return ownCommand
	case settings.Settings{Env: b.s.Env}.Get(BuilderEnv, "1") == "0" || !b.e.hasBuildKit(ctx, needs):
		return classic
	case needs:
		return buildKit
	case bound(b.request) || b.ownNetwork() || b.ignoresDockerfile():
		return classic
	}
	return buildKit
}

// unheeded tells whether BuildKit builds although it does not heed bounds that are asked for.
func (b *imageBuild) unheeded() bool { return bound(b.request) }

// hasBuildKit asks the engine. One whose admin has set BuildKit off has it still, for what needs it.
func (e *Engine) hasBuildKit(ctx context.Context, needed bool) bool {
	ping, err := e.cli.Ping(ctx)
	if err != nil {
		return true // the build will tell
	}
	return ping.OSType != "windows" && versions.GreaterThanOrEqualTo(ping.APIVersion, "1.39") &&
		(needed || ping.BuilderVersion != build.BuilderV1)
}

// ownNetwork tells whether a network is asked for that BuildKit refuses.
func (b *imageBuild) ownNetwork() bool {
	switch b.request.NetworkMode {
	case "", "default", "host", "none":
		return false
	}
	return true
}

// ignoresDockerfile tells whether the source's .dockerignore names the Dockerfile itself. BuildKit reads it from the
// files that are sent, and cannot take it away again.
func (b *imageBuild) ignoresDockerfile() bool {
	patterns, _, err := b.ignored()
	if err != nil {
		return false // the build will tell
	}
	ignored, err := patternmatcher.MatchesOrParentMatches(b.s.Dockerfile, patterns)
	return err == nil && ignored
}

// needsSession tells whether a Dockerfile asks for secrets or keys during the build.
func needsSession(dockerfile string) bool {
	for line := range strings.Lines(dockerfile) {
		_, mount, ok := strings.Cut(line, "--mount=")
		for ok && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			var this string
			this, mount, ok = strings.Cut(mount, "--mount=")
			options, _, _ := strings.Cut(strings.TrimLeft(this, `"'`), " ")
			for option := range strings.SplitSeq(options, ",") {
				if kind, is := strings.CutPrefix(option, "type="); is && (strings.TrimSpace(kind) == "secret" || strings.TrimSpace(kind) == "ssh") {
					return true
				}
			}
		}
	}
	return false
}

// NeedsBuildKit tells whether a Dockerfile uses what the engine's own builder does not know: a syntax line, mounts and
// other flags of RUN, COPY and ADD, or here-documents.
func NeedsBuildKit(dockerfile string) bool {
	lines := strings.Split(dockerfile, "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if directive, ok := strings.CutPrefix(line, "#"); ok {
			name, _, found := strings.Cut(strings.TrimSpace(directive), "=")
			if found && strings.EqualFold(strings.TrimSpace(name), "syntax") {
				return true
			}
			continue
		}
		instruction, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(instruction) {
		case "RUN", "COPY", "ADD":
			if hasNewFlag(rest) || hasHereDocument(rest, lines[i+1:]) {
				return true
			}
		}
	}
	return false
}

// hasNewFlag tells whether an instruction begins with a flag that came with BuildKit.
func hasNewFlag(arguments string) bool {
	for word := range strings.FieldsSeq(arguments) {
		flag, ok := strings.CutPrefix(word, "--")
		if !ok {
			return false
		}
		switch name, _, _ := strings.Cut(flag, "="); name {
		case "mount", "network", "security", "link", "chmod", "exclude", "parents", "checksum", "keep-git-dir":
			return true
		}
	}
	return false
}

// hasHereDocument tells whether an instruction names a word after << that stands alone on a later line.
func hasHereDocument(arguments string, later []string) bool {
	_, after, ok := strings.Cut(arguments, "<<")
	if !ok {
		return false
	}
	word := strings.TrimLeft(strings.TrimPrefix(after, "-"), `"'`)
	end := strings.IndexFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
	if end >= 0 {
		word = word[:end]
	}
	return word != "" && slices.ContainsFunc(later, func(line string) bool { return strings.TrimSpace(line) == word })
}
