package jobs

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// asynqLog passes asynq's own lines to slog, one every few seconds: while
// Redis is away each of its loops complains all the time.
type asynqLog struct {
	log *slog.Logger

	mu     sync.Mutex
	last   time.Time
	hidden int
}

const asynqLogEvery = 10 * time.Second

func (l *asynqLog) warn(args []any) {
	text := fmt.Sprint(args...)
	if strings.Contains(text, "NOT FOUND") {
		// The task went with a wiped Redis while its job ran. The row knows.
		l.log.Debug("asynq", "line", text)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.last) < asynqLogEvery {
		l.hidden++
		return
	}
	l.log.Warn("asynq", "line", text, "not_shown", l.hidden)
	l.last, l.hidden = time.Now(), 0
}

func (l *asynqLog) Debug(args ...any) { l.log.Debug("asynq", "line", fmt.Sprint(args...)) }
func (l *asynqLog) Info(args ...any)  { l.log.Debug("asynq", "line", fmt.Sprint(args...)) }
func (l *asynqLog) Warn(args ...any)  { l.warn(args) }
func (l *asynqLog) Error(args ...any) { l.warn(args) }

// Fatal does not end the process: its leases and its web pages are not
// asynq's to end.
func (l *asynqLog) Fatal(args ...any) { l.log.Error("asynq", "line", fmt.Sprint(args...)) }
