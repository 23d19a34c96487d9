package checks

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestParseHealth(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "",
		" \n":                            "",
		"{}":                             "",
		`{"name": "x", "scripts": {}}`:   "",
		`{"healthchecks": null}`:         "",
		`{"healthchecks": {}}`:           "",
		`{"healthchecks": {"web": []}}`:  "",
		"\ufeff" + `{"healthchecks":{}}`: "",
		`{"healthchecks": {"web": [{"path": "/"}]}}`:                              "web startup check 1: startup path / 3 5 5 0 0 http",
		`{"healthchecks": {"web": [{"type": "liveness", "listening": true}]}}`:    "web liveness check 1: liveness listening 3 5 5 0 0 http",
		`{"healthchecks": {"w": [{"uptime": 9, "name": "n", "attempts": null}]}}`: "w n: startup uptime of 9 s 3 5 5 0 0 http",
		`{"healthchecks": {"w": [{"type": "readiness", "command": ["a", "b c"], "attempts": 1, "timeout": 2, "wait": 0,
			"initialDelay": 4, "port": 80, "scheme": "https"}]}}`: `w readiness check 1: readiness command ["a" "b c"] 1 2 0 4 80 https`,
	} {
		got, warnings, err := parseHealth([]byte(text))
		var lines []string
		for kind, list := range got {
			for _, h := range list {
				lines = append(lines, fmt.Sprintf("%s %s: %s %s %d %d %d %d %d %s", kind, h.name, h.kind, h.what(), h.attempts, h.timeout, h.wait, h.initialDelay, h.port, h.scheme))
			}
		}
		if err != nil || len(warnings) > 0 || strings.Join(lines, "; ") != want {
			t.Errorf("%s: got %q, %v, %v, want %q", text, lines, warnings, err, want)
		}
	}
}

func TestParseHealthFails(t *testing.T) {
	t.Parallel()
	web := func(fields string) string { return `{"healthchecks": {"web": [{"path": "/"}, {` + fields + `}]}}` }
	for text, want := range map[string]string{
		"x":                                     "line 1: invalid character",
		"{\n\"healthchecks\": {,}}":             "line 2: invalid character",
		"[]":                                    "it is no object",
		"3":                                     "it is no object",
		`{"healthchecks": 3}`:                   "healthchecks: it is not to be a number",
		`{"healthchecks": {"web": {}}}`:         "healthchecks",
		`{"healthchecks": {"web": ["x"]}}`:      "healthchecks",
		`{"healthchecks": {"we/b": []}}`:        `healthchecks: "we/b" is no process type`,
		web(``):                                 "healthchecks.web[1]: give it one of command, path, listening and uptime",
		web(`"path": "/", "uptime": 3`):         "healthchecks.web[1]: give it one of",
		web(`"listening": false`):               "healthchecks.web[1]: give it one of",
		web(`"listening": "yes"`):               "healthchecks.web[1].listening: give true or false",
		web(`"path": "/", "attempts": "3"`):     "healthchecks.web[1].attempts: give a whole number",
		web(`"path": "/", "attempts": 0`):       "healthchecks.web[1].attempts: give a whole number from 1 to 86400",
		web(`"path": "/", "wait": -1`):          "healthchecks.web[1].wait: give a whole number from 0",
		web(`"path": "/", "timeout": 1e9`):      "healthchecks.web[1].timeout: give a whole number",
		web(`"path": "/", "port": 65536`):       "healthchecks.web[1].port: give a whole number from 0 to 65535",
		web(`"path": "x"`):                      "healthchecks.web[1].path: give a path",
		web(`"path": "/\u0000"`):                "healthchecks.web[1].path: give a path",
		web(`"path": "/", "type": "x"`):         "healthchecks.web[1].type: give startup",
		web(`"path": "/", "scheme": "ftp"`):     "healthchecks.web[1].scheme: give http or https",
		web(`"command": "ls -l"`):               "healthchecks.web[1].command: give a list of texts",
		web(`"path": "/", "httpHeaders": {}`):   "healthchecks.web[1].httpHeaders: give a list",
		web(`"path": "/", "httpHeaders": [{}]`): `healthchecks.web[1].httpHeaders: "": "" is no header`,
		web(`"path": "/", "httpHeaders": [{"name": "A", "value": "b\r\nC: d"}]`): `is no header`,
	} {
		if got, _, err := parseHealth([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want %s", text, got, err, want)
		}
	}
}

func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	_, warnings, err := parseHealth([]byte(`{"healthchecks": {"web": [{"uptime": 1}, {"path": "/", "warn": true, "Path": 3}]}}`))
	want := `[healthchecks.web[1]: "Path" is ignored: it is unknown healthchecks.web[1]: "warn" is ignored: it is unknown]`
	if err != nil || fmt.Sprint(warnings) != want {
		t.Errorf("got %v, %v, want %s", warnings, err, want)
	}
}

func TestAtDeploy(t *testing.T) {
	t.Parallel()
	got := atDeploy([]health{{kind: "readiness", name: "a"}, {kind: "liveness", name: "b"}, {kind: "startup", name: "c"}, {kind: "readiness", name: "d"}})
	if len(got) != 3 || got[0].name+got[1].name+got[2].name != "cad" {
		t.Errorf("got %v, want c, a, d", got)
	}
}

// FuzzParseHealth: whatever app.json says, what is taken from it makes sense.
func FuzzParseHealth(f *testing.F) {
	for _, s := range []string{`{"healthchecks": {"web": [{"path": "/", "attempts": 1}]}}`, `{"healthchecks": {"w": [{"command": ["a"], "x": 1}]}}`,
		`{"healthchecks": {"w": [{"uptime": 1, "httpHeaders": [{"name": "a", "value": "b"}]}]}}`, `{"healthchecks": []}`, `null`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, _, err := parseHealth(text)
		if err != nil {
			return
		}
		for kind, list := range all {
			for _, h := range list {
				if h.check() != nil || h.attempts < 1 || h.timeout < 1 || h.name == "" || kind == "" {
					t.Errorf("%s: got %+v", text, h)
				}
			}
		}
	})
}

// TestPage reads the examples of the page about checks as what they are.
func TestPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```\n")
	if len(blocks) != 5 {
		t.Fatalf("got %d parts, want an example of CHECKS and one of app.json", len(blocks))
	}
	l, err := parseList(blocks[1])
	if err != nil || len(l.checks) != 3 || len(l.ignored) != 0 || l.wait == nil || *l.wait != 10 || l.attempts == nil {
		t.Errorf("CHECKS: got %s, %v", l.show(), err)
	}
	all, warnings, err := parseHealth([]byte(blocks[3]))
	if err != nil || len(warnings) != 0 || len(all["web"]) != 2 || len(all["worker"]) != 1 {
		t.Errorf("app.json: got %v, %v, %v", all, warnings, err)
	}
}
