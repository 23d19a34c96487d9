package dockerapi

import (
	"strings"
	"testing"
)

// What an engine says of a build, with BuildKit's records and without.
func TestCopyMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, in, out, records, err string }{
		{"old", `{"stream":"Step 1/2 : FROM x\n"}{"stream":"Step 2/2 : LABEL com.dokku.a=b c=d\n"}`, "Step 1/2 : FROM x\nStep 2/2 : LABEL of dokku\n", "", ""},
		{"pull", `{"id":"latest","status":"Pulling from x"}{"id":"a","status":"Downloading","progressDetail":{"current":1,"total":2}}`, "latest Pulling from x\n", "", ""},
		{"records", `{"id":"moby.buildkit.trace","aux":"YWI="}{"id":"moby.image.id","aux":{"ID":"sha256:a"}}{"stream":"Successfully tagged x\n"}`, "", "ab", ""},
		{"asked for records, got none", `{"stream":"STEP 1: FROM x\n"}`, "STEP 1: FROM x\n", "", ""},
		{"failure", `{"errorDetail":{"message":"no"},"error":"no"}`, "", "", "cannot build the image: no"},
		{"no record", `{"id":"moby.buildkit.trace","aux":{"ID":1}}`, "", "", "cannot read the engine's output"},
		{"no json", `<html>`, "", "", "cannot read the engine's output"},
	} {
		var out, records strings.Builder
		err := copyMessages(t.Context(), strings.NewReader(c.in), &out, func(record []byte) error { records.Write(record); return nil })
		if out.String() != c.out || records.String() != c.records || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %q, %q, %v", c.what, out.String(), records.String(), err)
		}
	}
}

// The bounds of a build can be lowered by options, and not raised.
func TestLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		options                     string
		memory                      int64
		cpus                        float64
		wantMemory, swap, q, period int64
	}{
		{"", 0, 0, 0, 0, 0, 0},
		{"-m 1g", 0, 0, 1 << 30, 0, 0, 0},
		{"", 1 << 20, 0.5, 1 << 20, 1 << 20, 50000, 100000},
		{"-m 1g --memory-swap -1 --cpu-quota -1", 1 << 20, 2, 1 << 20, 1 << 20, 200000, 100000},
		{"-m 1k --memory-swap 2k", 1 << 20, 0, 1 << 10, 2 << 10, 0, 0},
		{"--cpu-quota 1000 --cpu-period 2000", 0, 1, 0, 0, 1000, 2000},
		{"--cpu-quota 9000 --cpu-period 2000", 0, 1, 0, 0, 2000, 2000},
	} {
		request, _, err := ParseBuildOptions(strings.Fields(c.options), nil)
		if err != nil {
			t.Fatal(err)
		}
		b := &imageBuild{request: request, s: BuildSpec{Memory: c.memory, CPUs: c.cpus}}
		b.limit()
		if r := b.request; r.Memory != c.wantMemory || r.MemorySwap != c.swap || r.CPUQuota != c.q || r.CPUPeriod != c.period {
			t.Errorf("%q, %d, %v: got %d, %d, %d, %d", c.options, c.memory, c.cpus, r.Memory, r.MemorySwap, r.CPUQuota, r.CPUPeriod)
		}
	}
}
