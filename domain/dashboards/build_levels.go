package dashboards

import "slices"

// changeLevels adds, moves or removes a column of a hierarchy.
func (d *drafter) changeLevels(c *Config, a Act) error {
	h, has := c.Hierarchies[a.ID]
	if !has {
		return ErrAct.With("This hierarchy is no longer there. Somebody else may have removed it.")
	}
	if a.Kind == "add_level" {
		if err := d.addLevel(c, &h, a); err != nil {
			return err
		}
	} else {
		from, ok := locate(h.Columns, a.index(), a.Expect)
		if !ok {
			return ErrAct.With("There is no such field at that place any more. Somebody else may have changed or removed it.")
		}
		name := h.Columns[from]
		h.Columns = slices.Delete(slices.Clone(h.Columns), from, from+1)
		if a.Kind == "move_level" && a.To != nil {
			h.Columns = slices.Insert(h.Columns, min(max(*a.To, 0), len(h.Columns)), name)
		}
	}
	c.Hierarchies[a.ID] = h
	return nil
}

func (d *drafter) addLevel(c *Config, h *Hierarchy, a Act) error {
	sc, err := d.schemaOf(c.dataset(h.Dataset))
	if err != nil {
		return err
	}
	field, err := d.field(sc, a.Field)
	if err != nil {
		return err
	}
	switch {
	case !field.Level():
		return ErrAct.With("A hierarchy is drilled down by columns; %s is a measure.", field.within())
	case slices.Contains(h.Columns, field.Name):
		return ErrAct.With("%s is in this hierarchy already.", field.Label())
	case len(h.Columns) >= maxLevels:
		return ErrAct.With("A hierarchy has at most %d columns.", maxLevels)
	}
	at := len(h.Columns)
	if a.Index != nil {
		at = min(max(*a.Index, 0), at)
	}
	h.Columns = slices.Insert(slices.Clone(h.Columns), at, field.Name)
	return nil
}

// Level tells whether a hierarchy can have the field as a level.
func (f Field) Level() bool { return !f.Saved && f.Name != CountField }
