package dockerapi

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Up is how long the container has run, 0 when it does not. It is measured from the start of its process and not from
// Started, since clocks are set, at boots above all.
func (c *Container) Up() time.Duration {
	if c.PID == 0 {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID))
	if err != nil {
		return 0 // it has just ended
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	start, ok := processStart(stat)
	if !ok {
		return 0
	}
	return max(0, time.Duration(now.Nano())-start)
}

// processStart reads from the text of /proc/PID/stat how long after the boot a process was started: the 22nd field, in
// hundredths of a second. The second is a name in brackets that may hold anything.
func processStart(stat []byte) (start time.Duration, ok bool) {
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) < 20 {
		return 0, false
	}
	ticks, err := strconv.ParseInt(string(f[19]), 10, 64)
	return time.Duration(ticks) * 10 * time.Millisecond, err == nil
}
