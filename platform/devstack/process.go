package devstack

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// nursery starts processes from one thread that lives as long as the program.
// The kernel ends a child with the thread that started it, and Go's threads
// come and go.
type nursery struct{ starts chan func() }

func newNursery() *nursery {
	n := &nursery{starts: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for start := range n.starts {
			start()
		}
	}()
	return n
}

// process is a running child.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // why, once done
}

// start runs cmd as the account. It gets deathSignal when the supervisor dies.
func (n *nursery) start(cmd *exec.Cmd, as account, deathSignal syscall.Signal) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: as.credential(),
		Pdeathsig:  deathSignal,
		Setpgid:    true,
	}
	started := make(chan error)
	n.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// run starts cmd and waits for it.
func (n *nursery) run(cmd *exec.Cmd, as account) error {
	p, err := n.start(cmd, as, syscall.SIGKILL)
	if err != nil {
		return err
	}
	<-p.done
	return p.err
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop asks with each signal in turn, giving the process its time before the
// next; after the last it is killed.
func (p *process) stop(patience time.Duration, signals ...syscall.Signal) {
	for _, signal := range append(signals, syscall.SIGKILL) {
		err := p.cmd.Process.Signal(signal)
		if errors.Is(err, syscall.ESRCH) || p.ended() {
			return
		}
		timer := time.NewTimer(patience)
		select {
		case <-p.done:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
	<-p.done
}
