package handlers

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
)

var errNoFile = apperr.Define(apperr.Invalid, "http.no_file", "Choose a file first.")

// uploadPages take files in: upload, review, load, report.
type uploadPages struct{ *core }

func (h uploadPages) routes(r chi.Router) {
	r.Route("/uploads/{id}", func(r chi.Router) {
		r.Get("/", handle(h.review))
		r.Get("/progress", handle(h.inspectProgress))
		r.Get("/target", handle(h.target))
		for action, post := range map[string]handlerFunc{"/inspect": h.inspect, "/fix": h.fix, "/load": h.load} {
			r.Post(action, handle(post))
			r.Get(action, handle(h.refused)) // where the browser stands after a form that was refused
		}
		r.Post("/remove", handle(h.remove))
	})
	r.Route("/loads/{id}", func(r chi.Router) {
		r.Get("/", handle(h.report))
		r.Get("/progress", handle(h.loadProgress))
		r.Post("/cancel", handle(h.cancel))
	})
}

// streams are the routes without a limit on the body or on time.
func (h uploadPages) streams(r chi.Router) {
	r.Post("/uploads", handle(h.upload))
	r.Get("/uploads/{id}/events", handle(h.inspectEvents))
	r.Get("/uploads/{id}/rejects.csv", handle(h.noted("datasets.rejects_downloaded", "upload", "id", h.inspectRejects)))
	r.Get("/loads/{id}/events", handle(h.loadEvents))
	r.Get("/loads/{id}/rejects.csv", handle(h.noted("datasets.rejects_downloaded", "load", "id", h.rejects)))
}

func uploadID(r *http.Request) (ids.Upload, error) {
	id, err := ids.Parse[ids.Upload](chi.URLParam(r, "id"))
	if err != nil {
		return id, datasets.ErrUploadNotFound.Wrap(err)
	}
	return id, nil
}

func loadID(r *http.Request) (ids.Load, error) {
	id, err := ids.Parse[ids.Load](chi.URLParam(r, "id"))
	if err != nil {
		return id, datasets.ErrLoadNotFound.Wrap(err)
	}
	return id, nil
}

// upload stores a file as it comes in: 201 with its page for the dropzone, a
// redirect there for a plain form.
func (h uploadPages) upload(w http.ResponseWriter, r *http.Request) error {
	if err := access.Can(actor(r), access.ManageData); err != nil {
		return err
	}
	control := http.NewResponseController(w)
	for _, unlimited := range []func(time.Time) error{control.SetReadDeadline, control.SetWriteDeadline} {
		if err := unlimited(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	part, err := filePart(r)
	if err != nil {
		return err
	}
	u, err := h.Datasets.StartUpload(r.Context(), actor(r), part.FileName(), part)
	if err != nil {
		return err
	}
	path := views.PathUpload(u.ID.String())
	if target := r.URL.Query().Get("dataset"); target != "" {
		path += "?" + url.Values{"dataset": {target}}.Encode()
	}
	if !wantsJSON(r) {
		http.Redirect(w, r, path, http.StatusSeeOther)
		return nil
	}
	w.Header().Set("Location", path)
	return renderJSON(w, http.StatusCreated, map[string]string{"location": path})
}

// filePart finds the file in a multipart body without reading it.
func filePart(r *http.Request) (*multipart.Part, error) {
	reader, err := r.MultipartReader()
	if err != nil {
		return nil, errForm.Wrap(err)
	}
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, errNoFile
		}
		if err != nil {
			return nil, errForm.Wrap(err)
		}
		if part.FormName() == "file" && part.FileName() != "" {
			return part, nil
		}
	}
}

// place is where the file is to go, as the page's address or form says.
type place struct {
	dataset string
	mode    datasets.Mode
	again   bool // a load was asked for, and the file is read again first
}

func placeOf(values url.Values) place {
	p := place{dataset: strings.TrimSpace(values.Get("dataset")), mode: datasets.Mode(values.Get("mode")), again: values.Has("again")}
	if !p.mode.Valid() {
		p.mode = datasets.Replace
	}
	return p
}

func (p place) path(id ids.Upload) string {
	values := url.Values{}
	if p.dataset != "" {
		values.Set("dataset", p.dataset)
	}
	if p.mode != datasets.Replace {
		values.Set("mode", string(p.mode))
	}
	if p.again {
		values.Set("again", "")
	}
	if len(values) == 0 {
		return views.PathUpload(id.String())
	}
	return views.PathUpload(id.String()) + "?" + values.Encode()
}

// review shows the columns of a file as they would be loaded.
func (h uploadPages) review(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	u, err := h.Datasets.GetUpload(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	p := placeOf(r.URL.Query())
	return h.show(w, r, http.StatusOK, u, p, func(props *views.UploadProps) { props.Again = p.again && props.Review != nil })
}

func (h uploadPages) show(w http.ResponseWriter, r *http.Request, status int, u datasets.Upload, p place, with func(*views.UploadProps)) error {
	write := writerFor(r)
	all, err := h.Datasets.List(r.Context(), actor(r))
	if err != nil {
		return err
	}
	props := write.upload(u)
	props.Dataset = p.dataset
	for _, d := range all {
		props.Datasets = append(props.Datasets, d.Name)
		if d.ID.String() == p.dataset {
			props.Dataset = d.Name // chosen on the dataset's page
		}
	}
	if props.Dataset == "" {
		props.Dataset = datasets.NameOfFile(u.Filename)
	}
	props.Exists = write.exists(all, props.Dataset)
	props.Modes = write.modes(p.mode)
	with(&props)
	if isPartial(r) {
		return render(w, r, status, views.UploadContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.UploadPage(s, props))
}

// refused leads from the address of a form back to the page that has it.
func (h uploadPages) refused(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	u, err := h.Datasets.GetUpload(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return redirect(w, r, views.PathUpload(u.ID.String()))
}

// target is the fragment that says whether there is a dataset of the name that
// is being typed.
func (h uploadPages) target(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	if _, err := h.Datasets.GetUpload(r.Context(), actor(r), id); err != nil {
		return err
	}
	all, err := h.Datasets.List(r.Context(), actor(r))
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.UploadTarget(writerFor(r).exists(all, strings.TrimSpace(r.FormValue("dataset")))))
}

// unseen tells whether a load would replace a dataset that the form did not say
// exists.
func (h uploadPages) unseen(r *http.Request, p place) (bool, error) {
	if p.mode != datasets.Replace {
		return false, nil
	}
	id, err := h.Datasets.Resolve(r.Context(), actor(r), p.dataset)
	if errors.Is(err, datasets.ErrNotFound) {
		return false, nil
	}
	return err == nil && r.PostFormValue("exists") != id.String(), err
}

// inspectProgress is the fragment that says how far looking into the file is;
// once that ended, the page follows.
func (h uploadPages) inspectProgress(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	u, err := h.Datasets.GetUpload(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	if progress := writerFor(r).upload(u).Progress; progress != nil && isPartial(r) {
		return render(w, r, http.StatusOK, views.JobProgress(*progress))
	}
	return h.ended(w, r, views.PathUpload(id.String())+"/progress", whole(r, views.PathUpload(id.String())))
}

// ended has a page that asks how far a job is leave for its outcome. It gets
// something that asks no more first: a page that takes longer than the next
// question would be asked for again and again, and never come.
func (h uploadPages) ended(w http.ResponseWriter, r *http.Request, progress, outcome string) error {
	if isPartial(r) && !r.URL.Query().Has("ended") {
		return render(w, r, http.StatusOK, views.JobEnded(progress+"?ended"))
	}
	return redirect(w, r, outcome)
}

// whole is the page around a fragment, with the query it was opened with.
func whole(r *http.Request, path string) string {
	current, err := url.Parse(r.Header.Get("HX-Current-URL"))
	if err != nil || current.Path != path {
		return path
	}
	return localPath(current.RequestURI(), path)
}

// choices reads what the form decided; what was not changed stays a proposal.
func choices(u datasets.Upload, form url.Values) datasets.Choices {
	c := u.Choices
	if u.Inspection != nil {
		for i, column := range u.Inspection.Columns {
			index := strconv.Itoa(i)
			if _, sent := form["source-"+index]; !sent {
				continue
			}
			original := c.Original(column)
			if form.Get("source-"+index) != original {
				continue // the form is of an earlier reading
			}
			chosen := c.Chosen(original)
			typeChoice := chosen.Type
			if now := form.Get("type-" + index); now != form.Get("was-"+index) {
				typeChoice = now
			}
			rename := strings.TrimSpace(form.Get("name-" + index))
			if rename == original {
				rename = ""
			}
			c = c.WithColumn(original, form.Get("load-"+index) == "", rename, typeChoice)
		}
		c.Key = append([]string(nil), form["key"]...)
	}
	options := &c.Options
	for name, field := range map[string]*string{
		"kind": &options.Kind, "delimiter": &options.Delimiter, "encoding": &options.Encoding, "sheet": &options.Sheet,
		"short_rows": &options.ShortRows, "long_rows": &options.LongRows,
		"totals": &options.Totals, "repeated_keys": &options.RepeatedKeys,
	} {
		if values, sent := form["option-"+name]; sent {
			*field = values[0]
		}
	}
	if values, sent := form["option-header"]; sent {
		options.Header = nil
		if values[0] != "" {
			header := values[0] == "yes"
			options.Header = &header
		}
	}
	return c
}

// prepared reads the upload and the form of a POST.
func (h uploadPages) prepared(r *http.Request) (datasets.Upload, error) {
	id, err := uploadID(r)
	if err != nil {
		return datasets.Upload{}, err
	}
	if err := r.ParseForm(); err != nil {
		return datasets.Upload{}, errForm.Wrap(err)
	}
	return h.Datasets.GetUpload(r.Context(), actor(r), id)
}

// inspect reads the file again with what was decided.
func (h uploadPages) inspect(w http.ResponseWriter, r *http.Request) error {
	u, err := h.prepared(r)
	if err != nil {
		return err
	}
	c := choices(u, r.PostForm)
	// An answer to a question: "3|date:dmy".
	if index, typeChoice, answered := strings.Cut(r.PostFormValue("set"), "|"); answered && u.Inspection != nil {
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i >= len(u.Inspection.Columns) {
			return errForm
		}
		c = c.WithType(u.Choices.Original(u.Inspection.Columns[i]), typeChoice)
	}
	return h.again(w, r, u, c)
}

// fix takes an offered fix: "fix-2".
func (h uploadPages) fix(w http.ResponseWriter, r *http.Request) error {
	u, err := h.prepared(r)
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(strings.TrimPrefix(r.PostFormValue("fix"), "fix-"))
	if err != nil || u.Inspection == nil || i < 0 || i >= len(u.Inspection.Rejects) || u.Inspection.Rejects[i].Fix == nil {
		return errForm
	}
	return h.again(w, r, u, choices(u, r.PostForm).WithFix(*u.Inspection.Rejects[i].Fix))
}

func (h uploadPages) again(w http.ResponseWriter, r *http.Request, u datasets.Upload, c datasets.Choices) error {
	p := placeOf(r.PostForm)
	err := h.Datasets.InspectUpload(r.Context(), actor(r), u.ID, c)
	if problem, wrong := invalid(err); wrong {
		return h.show(w, r, http.StatusUnprocessableEntity, u, p, func(props *views.UploadProps) { props.Error = problem })
	}
	if err != nil {
		return err
	}
	return redirect(w, r, p.path(u.ID))
}

// load asks for the load. That a dataset is replaced, and a change of an existing
// one's columns, is shown first; the form that comes back says that it was seen.
func (h uploadPages) load(w http.ResponseWriter, r *http.Request) error {
	u, err := h.prepared(r)
	if err != nil {
		return err
	}
	p, c, seen := placeOf(r.PostForm), choices(u, r.PostForm), r.PostFormValue("seen")
	unseen, err := h.unseen(r, p)
	if err != nil {
		return err
	}
	if unseen && !c.SameButKey(u.Choices) {
		return h.again(w, r, u, c) // the page says it then
	}
	u.Choices.Key = c.Key // where the page is shown again
	if unseen {
		return h.show(w, r, http.StatusUnprocessableEntity, u, p, func(props *views.UploadProps) { props.Exists.Ask = true })
	}
	started, err := h.Datasets.StartLoad(r.Context(), actor(r), datasets.LoadRequest{Upload: u.ID, Dataset: p.dataset, Mode: p.mode, Choices: &c, Seen: &seen})
	if problem, wrong := invalid(err); wrong {
		return h.show(w, r, http.StatusUnprocessableEntity, u, p, func(props *views.UploadProps) { props.Error = problem })
	}
	switch {
	case err != nil:
		return err
	case started.Again:
		p.again = true
		return redirect(w, r, p.path(u.ID))
	case started.Change != nil:
		shown, err := h.change(r, p.dataset, *started.Change)
		if err != nil {
			return err
		}
		return h.show(w, r, http.StatusUnprocessableEntity, u, p, func(props *views.UploadProps) { props.Change = shown })
	}
	return redirect(w, r, views.PathLoad(started.Load.String()))
}

// change is what a load would do to a dataset's columns, with the dashboards that
// lose what they ask.
func (h uploadPages) change(r *http.Request, dataset string, c datasets.SchemaChange) (*views.ChangeProps, error) {
	id, err := h.Datasets.Resolve(r.Context(), actor(r), dataset)
	if err != nil {
		return nil, err
	}
	props := &views.ChangeProps{Seen: c.Digest(), Lines: writerFor(r).changes(c), Stop: len(c.Conflicts) > 0}
	for i := range c.Dropped { // they come last
		line := &props.Lines[len(props.Lines)-len(c.Dropped)+i]
		boards, err := h.boardsWith(r, id, c.Dropped[i].Name)
		if err != nil {
			return nil, err
		}
		line.Boards = boards
	}
	return props, nil
}

func (h uploadPages) remove(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	if err := h.Datasets.RemoveUpload(r.Context(), actor(r), id); err != nil {
		return err
	}
	return redirect(w, r, views.PathDatasets)
}

func (h uploadPages) getLoad(r *http.Request) (datasets.Load, error) {
	id, err := loadID(r)
	if err != nil {
		return datasets.Load{}, err
	}
	return h.Datasets.GetLoad(r.Context(), actor(r), id)
}

// How long the report of a load waits for the look through all columns behind a
// suggestion, at first and each time that it asks again by itself.
const (
	suggestWithin = time.Second
	suggestLater  = 20 * time.Second
)

// report is the page of a load: how far it is, then what it did.
func (h uploadPages) report(w http.ResponseWriter, r *http.Request) error {
	l, err := h.getLoad(r)
	if err != nil {
		return err
	}
	props := writerFor(r).load(l)
	if l.State == datasets.LoadDone && l.Loaded > 0 && access.Can(actor(r), access.EditContent) == nil {
		within := suggestWithin
		if isPartial(r) {
			within = suggestLater
		}
		ctx, cancel := context.WithTimeout(r.Context(), within)
		suggestion, err := h.Dashboards.PreviewSuggested(ctx, actor(r), l.Dataset)
		late := errors.Is(ctx.Err(), context.DeadlineExceeded)
		cancel()
		switch {
		case err == nil:
			props.Done.Suggestion = writerFor(r).suggestion(suggestion)
		case late:
			props.Done.Suggesting = views.PathLoad(l.ID.String())
		case !errors.Is(err, datasets.ErrNotFound) && r.Context().Err() == nil: // deleted since
			if public := apperr.Describe(err); public.Class != apperr.Internal {
				props.Done.Unsuggested = public.Sentence
				break
			}
			return err
		}
	}
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.LoadContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.LoadPage(s, props))
}

func (h uploadPages) loadProgress(w http.ResponseWriter, r *http.Request) error {
	l, err := h.getLoad(r)
	if err != nil {
		return err
	}
	if progress := writerFor(r).load(l).Progress; progress != nil && isPartial(r) {
		return render(w, r, http.StatusOK, views.JobProgress(*progress))
	}
	path := views.PathLoad(l.ID.String())
	return h.ended(w, r, path+"/progress", path)
}

func (h uploadPages) cancel(w http.ResponseWriter, r *http.Request) error {
	id, err := loadID(r)
	if err != nil {
		return err
	}
	if err := h.Datasets.CancelLoad(r.Context(), actor(r), id); err != nil {
		return err
	}
	return redirect(w, r, views.PathLoad(id.String()))
}

// rejects is the file of records that a load rejected.
func (h uploadPages) rejects(w http.ResponseWriter, r *http.Request) error {
	id, err := loadID(r)
	if err != nil {
		return err
	}
	file, err := h.Datasets.OpenRejects(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return download(w, file, "rejected.csv")
}

// inspectRejects is the file of records that a load would reject.
func (h uploadPages) inspectRejects(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	file, err := h.Datasets.OpenUploadRejects(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return download(w, file, "rejected.csv")
}

// download sends a CSV file and closes it.
func download(w http.ResponseWriter, file io.ReadCloser, name string) error {
	defer func() { _ = file.Close() }()
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = io.Copy(w, file) // somebody who went away gets no more
	return nil
}
