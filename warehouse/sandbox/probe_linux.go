package sandbox

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// run tries one thing and answers "done" with what it got, or the error.
func (p *Probe) run() string {
	switch p.Action {
	case "read":
		data, err := os.ReadFile(p.Target)
		return outcome(fmt.Sprintf("%d bytes", len(data)), err)
	case "write":
		return outcome("", os.WriteFile(p.Target, []byte("x"), 0o600))
	case "list":
		entries, err := os.ReadDir(p.Target)
		return outcome(fmt.Sprintf("%d entries", len(entries)), err)
	case "remove":
		return outcome("", os.Remove(p.Target))
	case "socket":
		_, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return outcome("", err)
	case "inet":
		_, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		return outcome("", err)
	case "exec":
		return outcome("", syscall.Exec(p.Target, []string{p.Target}, nil))
	case "start":
		_, err := os.StartProcess(p.Target, []string{p.Target}, &os.ProcAttr{})
		return outcome("", err)
	case "ptrace":
		return outcome("", unix.PtraceAttach(os.Getppid()))
	case "kill":
		return outcome("", unix.Kill(os.Getppid(), 0))
	case "raise":
		limit := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
		return outcome("", unix.Setrlimit(unix.RLIMIT_DATA, &limit))
	case "environment":
		return outcome(strings.Join(os.Environ(), ","), nil)
	case "descriptors":
		return outcome(descriptors(), nil)
	case "memory":
		return memoryBomb()
	case "native memory":
		return nativeMemoryBomb()
	case "loop":
		for i := 0; ; i++ {
			if i < 0 {
				return "wrapped around"
			}
		}
	case "grow":
		return grow(p.Target)
	}
	return "unknown action"
}

func outcome(got string, err error) string {
	if err != nil {
		return "refused: " + err.Error()
	}
	return strings.TrimSpace("done " + got)
}

// descriptors counts what is open besides the standard ones and Go's own poller.
func descriptors() string {
	var open []string
	for fd := 3; fd < 256; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			continue
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG, unix.S_IFSOCK, unix.S_IFIFO, unix.S_IFCHR, unix.S_IFBLK:
			open = append(open, fmt.Sprint(fd))
		}
	}
	return strings.Join(open, ",")
}

func memoryBomb() string {
	var kept [][]byte
	for {
		b := make([]byte, 16<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		if kept = append(kept, b); len(kept) > 1<<12 {
			return "done"
		}
	}
}

// nativeMemoryBomb takes memory past Go's own allocator, as C code would.
func nativeMemoryBomb() string {
	taken := 0
	for range 1 << 12 {
		b, err := unix.Mmap(-1, 0, 16<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return fmt.Sprintf("refused after %d MB: %v", taken>>20, err)
		}
		*(*byte)(unsafe.Pointer(&b[0])) = 1
		taken += len(b)
	}
	return "done"
}

func grow(path string) string {
	f, err := os.Create(path)
	if err != nil {
		return outcome("", err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for range 1 << 10 {
		if _, err := f.Write(block); err != nil {
			return outcome("", err)
		}
	}
	return "done"
}
