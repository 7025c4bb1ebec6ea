package datasets

// OnPublished has f called between publishing files and committing rows.
func (s *Service) OnPublished(f func()) { s.published = f }
