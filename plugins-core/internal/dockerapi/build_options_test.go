package dockerapi_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
)

func TestParseBuildOptions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                             "",
		"--build-arg A=1 --build-arg=B=x=y":            `"BuildArgs":{"A":"1","B":"x=y"}`,
		"--build-arg HOME --build-arg NONE":            `"BuildArgs":{"HOME":"/home/dokku","NONE":null}`,
		"--no-cache --pull=false":                      `"NoCache":true`,
		"--pull":                                       `"PullParent":true`,
		"--target=a --platform linux/arm64":            `"Platform":"linux/arm64","Target":"a"`,
		"--network host":                               `"NetworkMode":"host"`,
		"-m 512m --memory-swap=-1":                     `"Memory":536870912,"MemorySwap":-1`,
		"-m=1g --shm-size 64m":                         `"Memory":1073741824,"ShmSize":67108864`,
		"-m1g -c 5":                                    `"CPUShares":5,"Memory":1073741824`,
		"--cpu-quota 50000 --cpu-period=100000":        `"CPUPeriod":100000,"CPUQuota":50000`,
		"--cpuset-cpus 0,1 --cgroup-parent /x":         `"CPUSetCPUs":"0,1","CgroupParent":"/x"`,
		"--add-host a:1.2.3.4 --add-host=b=[::1]":      `"ExtraHosts":["a:1.2.3.4","b:::1"]`,
		"--label 'a=b c' --label d":                    `"Labels":{"a":"b c","d":""}`,
		"--ulimit nofile=10:20":                        `"Ulimits":[{"Name":"nofile","Hard":20,"Soft":10}]`,
		"--rm --force-rm=true --compress -t a --tag=b": `"Tags":["a","b"]`,
		"--cache-from a --cache-from b":                `"CacheFrom":["a","b"]`,
	} {
		words, err := shellquote.Split(text)
		if err != nil {
			t.Fatal(err)
		}
		o, rest, err := dockerapi.ParseBuildOptions(words, []string{"HOME=/home/dokku"})
		if err != nil || len(rest) > 0 {
			t.Errorf("%q: got %v, %v", text, rest, err)
		}
		all := map[string]json.RawMessage{}
		data, err := json.Marshal(o)
		if err == nil {
			err = json.Unmarshal(data, &all)
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for name, value := range all {
			switch string(value) {
			case "null", `""`, "0", "false":
			default:
				got = append(got, `"`+name+`":`+string(value))
			}
		}
		slices.Sort(got)
		if strings.Join(got, ",") != want {
			t.Errorf("%q: got %s, want %s", text, strings.Join(got, ","), want)
		}
	}
	for text, want := range map[string]string{
		"--no-cache --secret id=a,src=b --pull": "--secret id=a,src=b --pull",
		"--ssh default":                         "--ssh default",
		"--squash":                              "--squash",
		"-f other":                              "-f other",
		"-":                                     "-", "word": "word", "--": "--",
	} {
		_, rest, err := dockerapi.ParseBuildOptions(strings.Fields(text), nil)
		if err != nil || strings.Join(rest, " ") != want {
			t.Errorf("%q: got %q, %v, want %q", text, rest, err, want)
		}
	}
	for _, text := range []string{"--build-arg", "--build-arg =x", "--memory x", "--memory", "--no-cache=maybe", "--ulimit x", "--add-host a", "--add-host a:", "--label =", "--cpu-quota 1.5"} {
		if o, rest, err := dockerapi.ParseBuildOptions(strings.Fields(text), nil); err == nil {
			t.Errorf("%q: got %+v, %q, want an error", text, o, rest)
		}
	}
}

// FuzzParseBuildOptions reads any words; those that are left begin with one that stood there.
func FuzzParseBuildOptions(f *testing.F) {
	for _, text := range []string{"--build-arg A=1", "-m1g -c", "--ulimit nofile=1:2 --ssh x", "--add-host=a=[::1]", "--label=", "- -- ="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := strings.Fields(text)
		_, rest, err := dockerapi.ParseBuildOptions(words, nil)
		if err == nil && len(rest) > 0 && !slices.Equal(rest, words[len(words)-len(rest):]) {
			t.Errorf("of %q: got the rest %q", text, rest)
		}
	})
}
