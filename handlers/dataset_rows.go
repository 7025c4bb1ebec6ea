package handlers

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/ui"
)

// ownKey stands for the key of a dataset that several columns make.
const ownKey = "key"

func (h datasetPages) deleteRowsForm(w http.ResponseWriter, r *http.Request) error {
	if err := access.Can(actor(r), access.ManageData); err != nil {
		return err
	}
	d, err := h.get(r)
	if err != nil {
		return err
	}
	return h.deleteRowsDialog(w, r, http.StatusOK, d, views.DeleteRowsForm{})
}

// deleteRows says how many rows have the keys, and deletes them where the form
// was sent for exactly the keys that were counted.
func (h datasetPages) deleteRows(w http.ResponseWriter, r *http.Request) error {
	if err := access.Can(actor(r), access.ManageData); err != nil {
		return err
	}
	d, err := h.get(r)
	if err != nil {
		return err
	}
	by, text := r.PostFormValue("by"), r.PostFormValue("keys")
	form := views.DeleteRowsForm{Keys: text, Seen: digestOf(by, text)}
	columns, err := keyColumns(d, by)
	var keys [][]any
	if err == nil {
		keys, err = datasets.ParseKeys(text, len(columns))
	}
	if err == nil && r.PostFormValue("do") == "delete" && r.PostFormValue("seen") == form.Seen {
		var n int64
		if n, err = h.Datasets.DeleteByKey(r.Context(), actor(r), d.ID, columns, keys); err == nil {
			return flashAndGo(w, r, "datasets.delete_rows_done", views.PathDatasetTab(d.ID.String(), views.TabVersions), "Count", strconv.FormatInt(n, 10))
		}
	}
	var n int64
	if err == nil {
		n, err = h.Datasets.CountByKey(r.Context(), actor(r), d.ID, columns, keys)
	}
	if problem, wrong := invalid(err); wrong {
		form.Error = problem
		return h.deleteRowsDialog(w, r, http.StatusUnprocessableEntity, d, form)
	}
	if err != nil {
		return err
	}
	write := writerFor(r)
	if form.None = n == 0; form.None {
		form.Counted = write.t("datasets.delete_rows_none")
	} else {
		form.Counted = write.t("datasets.delete_rows_found", "Count", int(n))
	}
	return h.deleteRowsDialog(w, r, http.StatusOK, d, form)
}

// keyColumns are the columns that a choice of the form stands for.
func keyColumns(d datasets.Dataset, by string) ([]string, error) {
	var list []string
	for _, c := range d.Columns {
		if by == strconv.Itoa(int(c.ID)) {
			return []string{c.Name}, nil
		}
	}
	for _, id := range d.KeyColumns {
		if c, ok := d.ColumnByID(id); ok && by == ownKey {
			list = append(list, c.Name)
		}
	}
	if len(list) == 0 {
		return nil, datasets.ErrKeyInvalid
	}
	return list, nil
}

// digestOf names what was counted.
func digestOf(by, keys string) string {
	sum := sha256.Sum256([]byte(by + "\x00" + keys))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

func (h datasetPages) deleteRowsDialog(w http.ResponseWriter, r *http.Request, status int, d datasets.Dataset, form views.DeleteRowsForm) error {
	form.Dataset, form.Name = d.ID.String(), d.Name
	chosen := r.PostFormValue("by")
	if len(d.KeyColumns) > 1 {
		names, _ := keyColumns(d, ownKey)
		form.Columns = append(form.Columns, ui.Option{Value: ownKey, Label: strings.Join(names, ", "), Selected: chosen == ownKey})
	}
	for _, c := range d.Columns {
		id := strconv.Itoa(int(c.ID))
		own := len(d.KeyColumns) == 1 && d.KeyColumns[0] == c.ID
		form.Columns = append(form.Columns, ui.Option{Value: id, Label: c.Name, Selected: chosen == id || chosen == "" && own})
	}
	return h.form(w, r, status, writerFor(r).t("datasets.delete_rows_title", "Name", d.Name), views.DeleteRowsDialog(form))
}
