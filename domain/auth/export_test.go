package auth

// UseHashing changes how passwords are hashed, for tests, and answers what
// undoes it.
func UseHashing(memoryKiB, passes uint32) (undo func()) {
	before := hashing
	hashing = parameters{memoryKiB: memoryKiB, passes: passes, lanes: 1}
	return func() { hashing = before }
}
