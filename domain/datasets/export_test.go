package datasets

import "time"

// OnPublished has f called between publishing files and committing rows.
func (s *Service) OnPublished(f func()) { s.published = f }

// OnChecked has f called between looking through a dataset and holding it.
func (s *Service) OnChecked(f func()) { s.checked = f }

// TickBy has leases extended when something comes on the channel.
func (s *Service) TickBy(ticks <-chan time.Time) {
	s.every = func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} }
}
