package testscripts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// givenPorts are those that platforms of this process have got.
var givenPorts sync.Map

// freePorts returns ports of 127.0.0.1 for daemons, of which some begin to listen much later. So none is of the range from
// which the kernel takes ports of connections, nor of that for apps' containers.
func freePorts(n int) (ports []int, err error) {
	for try := 0; len(ports) < n; try++ {
		if try == 1000 {
			return nil, errors.New("cannot find free ports: all of 10000 to 19999 that were tried are taken")
		}
		port := 10_000 + rand.IntN(10_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		if _, given := givenPorts.LoadOrStore(port, true); !given {
			ports = append(ports, port)
		}
	}
	return ports, nil
}
