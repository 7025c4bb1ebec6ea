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

// Limits are the quantities of a plan; zero is no limit.
type Limits struct {
	Seats int // people, open invitations included
}

// Limits answers what the plan allows. An unknown plan is the smallest.
func (p Plan) Limits() Limits {
	switch p {
	case Enterprise:
		return Limits{}
	case Professional:
		return Limits{Seats: 100}
	}
	return Limits{Seats: 10}
}
