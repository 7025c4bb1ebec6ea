// Package plans names what a workspace may use. Every feature is part of every
// plan; plans differ in quantities only.
package plans

// Plan is the plan of a workspace.
type Plan string

// The plans.
const (
	Starter      Plan = "Starter"
	Professional Plan = "Professional"
	Enterprise   Plan = "Enterprise"
)

// All lists the plans from the smallest to the largest.
var All = []Plan{Starter, Professional, Enterprise}
