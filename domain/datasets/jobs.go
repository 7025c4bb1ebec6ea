package datasets

import (
	"time"

	"github.com/dataflowhq/dataflow/platform/jobs"
)

// How the jobs of this package are run. A file that takes longer than the
// sandbox allows ends with the sandbox's own error.
var (
	InspectOptions = jobs.Options{Timeout: 90 * time.Minute, MaxAttempts: 3}
	LoadOptions    = jobs.Options{Timeout: 6 * time.Hour, MaxAttempts: 5, Backoff: 2 * time.Second, MaxBackoff: time.Minute}
	MergeOptions   = jobs.Options{Timeout: 30 * time.Minute, MaxAttempts: 3}
	SweepOptions   = jobs.Options{Timeout: time.Hour, MaxAttempts: 3}
)
