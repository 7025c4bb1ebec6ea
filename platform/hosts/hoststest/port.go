package hoststest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreePort answers a TCP port that nobody listens on, for a process that takes
// it later. It lies below the ports that systems give out by themselves (Linux
// from 32768), so that no connection takes it meanwhile.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}
