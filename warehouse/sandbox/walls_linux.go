package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/landlock-lsm/go-landlock/landlock"
	landlocksys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// closeInherited closes whatever descriptor came along besides the three
// standard ones. The runtime's own poller stays: packages may have started it
// before main, and it gives access to nothing.
func closeInherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || strings.HasPrefix(target, "anon_inode:[event") {
			continue // the directory just read is closed already
		}
		if err := unix.Close(fd); err != nil {
			return fmt.Errorf("close descriptor %d: %w", fd, err)
		}
	}
	return nil
}

// confine raises the walls, those that need the most rights first. An error
// means that one of them does not stand.
func (r *request) confine() error {
	if err := r.limit(); err != nil {
		return err
	}
	if err := r.restrictFiles(); err != nil {
		return err
	}
	return restrictCalls()
}

// limit bounds memory, processor time, the size of files and the number of
// descriptors. The memory limit counts private writable mappings: Go's heap
// and DuckDB's, not the binary.
func (r *request) limit() error {
	for _, l := range []struct {
		what  string
		which int
		most  int64
	}{
		{"memory", unix.RLIMIT_DATA, r.MemoryLimit},
		{"processor time", unix.RLIMIT_CPU, r.CPUSeconds},
		{"file size", unix.RLIMIT_FSIZE, r.MaxOutput},
		{"descriptors", unix.RLIMIT_NOFILE, 4096},
		{"core dumps", unix.RLIMIT_CORE, 0},
	} {
		if l.most < 0 || l.most == 0 && l.which != unix.RLIMIT_CORE {
			return fmt.Errorf("limit of %s is missing", l.what)
		}
		limit := unix.Rlimit{Cur: uint64(l.most), Max: uint64(l.most)}
		if err := unix.Setrlimit(l.which, &limit); err != nil {
			return fmt.Errorf("limit %s: %w", l.what, err)
		}
	}
	return nil
}

// restrictFiles leaves the input file readable and the directory writable, and
// nothing else.
func (r *request) restrictFiles() error {
	read, dir := r.grants()
	if !filepath.IsAbs(read) || !filepath.IsAbs(dir) {
		return fmt.Errorf("%q and %q must be absolute", read, dir)
	}
	version, err := landlocksys.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return fmt.Errorf("no Landlock here (version %d): %w", version, err)
	}
	err = landlock.V7.BestEffort().Restrict(landlock.ROFiles(read), landlock.RWDirs(dir))
	if err != nil {
		return fmt.Errorf("restrict files by Landlock: %w", err)
	}
	return nil
}

// restrictCalls lets through the system calls that computing, threads and
// files need. All others fail with EPERM: those that reach other processes or
// the network above all.
func restrictCalls() error {
	known, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	present := func(names []string) []string {
		var kept []string
		for _, n := range names {
			if _, exists := known.SyscallNames[n]; exists {
				kept = append(kept, n)
			}
		}
		return kept
	}
	filter := seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionErrno,
			Syscalls: []seccomp.SyscallGroup{
				{Action: seccomp.ActionAllow, Names: present(allowedCalls), NamesWithCondtions: []seccomp.NameWithConditions{
					// Threads, not processes.
					{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}}},
					// Go's scheduler signals its own threads.
					{Name: "tgkill", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: uint64(os.Getpid())}}},
				}},
				{Action: seccomp.ActionErrno | seccomp.Action(syscall.ENOSYS), Names: present(absentCalls)},
			},
		},
	}
	// The filter reaches all threads from this one, which must be the one that
	// gave up gaining privileges.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := seccomp.LoadFilter(filter); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}

var allowedCalls = []string{
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek",
	"open", "openat", "close", "stat", "fstat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2",
	"readlink", "readlinkat", "getcwd", "getdents64", "statfs", "fstatfs", "fadvise64", "flock", "umask",
	"ftruncate", "truncate", "fallocate", "fsync", "fdatasync", "sync_file_range",
	"unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat",
	"fcntl", "dup", "dup2", "dup3", "pipe", "pipe2", "eventfd2", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
	"poll", "ppoll", "select", "pselect6",
	"mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "mincore", "membarrier",
	"futex", "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "sched_yield",
	"sched_getaffinity", "getcpu", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigaltstack",
	"restart_syscall", "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
	"timer_create", "timer_settime", "timer_delete", "setitimer", "getpid", "gettid", "getppid", "getuid", "geteuid",
	"getgid", "getegid", "getrusage", "getrlimit", "times", "uname", "sysinfo", "getrandom", "exit", "exit_group",
}

// absentCalls have older equivalents that C libraries fall back to when they
// hear that the kernel does not know them. clone3 hides its flags from the
// filter, so only clone is let through.
var absentCalls = []string{
	"clone3", "openat2", "fchmodat2", "close_range", "copy_file_range", "sendfile", "splice", "preadv2", "pwritev2",
	"epoll_pwait2", "prlimit64", "sched_setaffinity",
}

// dieWithParent has the kernel kill a child whose parent is gone.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// ownExecutable is this very program, also after its file was replaced.
func ownExecutable() (string, error) { return "/proc/self/exe", nil }
