package handlers

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/brand"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// portalSettings are where a workspace makes its portals.
type portalSettings struct{ *core }

var errNoHost = apperr.Define(apperr.Conflict, "portals.no_host",
	"Give the portal a host name first, and prove that it is yours: the link in the mail leads there.")

func (h portalSettings) routes(r chi.Router) {
	r.Get(views.PathPortals, handle(h.list))
	r.Post(views.PathPortals, handle(h.create))
	r.Route(views.PathPortals+"/{portal}", func(r chi.Router) {
		r.Get("/", handle(h.shows))
		r.Post("/", handle(h.saveShows))
		r.Post("/delete", handle(h.remove))
		r.Get("/brand", handle(h.look))
		r.Post("/brand/preview", handle(h.previewLook))
		r.Get("/logo/{kind}/{sum}", handle(h.logo))
		r.Get("/visitors", handle(h.people))
		r.Post("/visitors", handle(h.invite))
		r.Post("/visitors/change", handle(h.changeVisitor))
		r.Post("/visitors/link", handle(h.sendLink))
		r.Post("/visitors/remove", handle(h.removeVisitor))
		r.Post("/groups", handle(h.saveGroup))
		portalSignIn(h).routes(r)
		r.Get("/hosts", handle(h.hosts))
		r.Post("/hosts", handle(h.addHost))
		r.Post("/hosts/verify", handle(h.proveHost))
		r.Post("/hosts/remove", handle(h.removeHost))
	})
}

type portalKey struct{}

func withPortal(ctx context.Context, p *portals.Portal) context.Context {
	return context.WithValue(ctx, portalKey{}, p)
}

func portalFrom(ctx context.Context) *portals.Portal {
	p, _ := ctx.Value(portalKey{}).(*portals.Portal)
	return p
}

func portalID(r *http.Request) (ids.Portal, error) {
	id, err := ids.Parse[ids.Portal](chi.URLParam(r, "portal"))
	if err != nil {
		return id, portals.ErrNotFound.Wrap(err)
	}
	return id, nil
}

func (h portalSettings) list(w http.ResponseWriter, r *http.Request) error {
	return h.listPage(w, r, http.StatusOK, "", nil)
}

func (h portalSettings) listPage(w http.ResponseWriter, r *http.Request, status int, name string, fields map[string]string) error {
	list, err := h.Portals.List(r.Context(), actor(r))
	if err != nil {
		return err
	}
	var rows []views.PortalRow
	for _, p := range list {
		rows = append(rows, views.PortalRow{ID: p.ID.String(), Name: p.Name, Dashboards: p.Dashboards, Visitors: p.Visitors, Changed: when(r, p.UpdatedAt)})
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.PortalsPage(s, rows, name, fields))
}

func when(r *http.Request, at time.Time) views.When {
	if at.IsZero() {
		return views.When{}
	}
	a := actor(r)
	now := time.Now().In(a.Location())
	return views.When{At: at.In(a.Location()), Now: now, Locale: locale.For(a.Locale)}
}

func (h portalSettings) create(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	name := r.PostForm.Get("name")
	id, err := h.Portals.Create(r.Context(), actor(r), name)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.listPage(w, r, apperr.Describe(err).Class.Status(), name, fields)
	}
	if err != nil {
		return err
	}
	return redirect(w, r, views.PathPortal(id.String(), ""))
}

// head is what every section of a portal's settings shows.
func (h portalSettings) head(r *http.Request) (portals.Portal, views.PortalHead, error) {
	id, err := portalID(r)
	if err != nil {
		return portals.Portal{}, views.PortalHead{}, err
	}
	p, err := h.Portals.Get(r.Context(), actor(r), id)
	if err != nil {
		return p, views.PortalHead{}, err
	}
	head := views.PortalHead{ID: id.String(), Name: p.Name, Preview: views.PathPortal(id.String(), string(views.PortalLook))}
	if base, err := h.base(r, id); err == nil {
		head.Preview = base
	}
	return p, head, nil
}

// base is the address of a portal: its first name that was proven, with the
// scheme and the port that the site is reached by.
func (h portalSettings) base(r *http.Request, id ids.Portal) (string, error) {
	list, err := h.Portals.Hosts(r.Context(), actor(r), id)
	if err != nil {
		return "", err
	}
	for _, host := range list {
		if !host.VerifiedAt.IsZero() {
			return hostAddress(r, host.Name), nil
		}
	}
	return "", errNoHost
}

func hostAddress(r *http.Request, host string) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		host = net.JoinHostPort(host, port)
	}
	if scopeOf(r).secure {
		return "https://" + host
	}
	return "http://" + host
}

func (h portalSettings) shows(w http.ResponseWriter, r *http.Request) error {
	return h.showsPage(w, r, http.StatusOK, nil)
}

func (h portalSettings) showsPage(w http.ResponseWriter, r *http.Request, status int, problem error) error {
	p, head, err := h.head(r)
	if err != nil {
		return err
	}
	describe(&head, problem)
	shown, err := h.Portals.Dashboards(r.Context(), actor(r), p.ID)
	if err != nil {
		return err
	}
	all, err := h.Dashboards.List(r.Context(), actor(r), dashboards.ListQuery{Sort: dashboards.ByName, Limit: 500})
	if err != nil {
		return err
	}
	_, groups, err := h.Portals.Visitors(r.Context(), actor(r), p.ID)
	if err != nil {
		return err
	}
	props := views.PortalShowsProps{PortalHead: head, Downloads: p.Downloads, Schedules: p.Schedules, Zone: p.Zone,
		Zones:  append([]ui.Option{{Label: messages.T(r.Context(), "portals.workspace_zone")}}, zoneOptions(p.Zone, "")...),
		Groups: []ui.Option{{Label: messages.T(r.Context(), "portals.everybody")}}}
	for _, g := range groups {
		props.Groups = append(props.Groups, ui.Option{Value: g.ID.String(), Label: g.Name})
	}
	in := map[ids.Dashboard]bool{}
	for i, one := range shown {
		in[one.Dashboard] = true
		board := views.PortalBoard{ID: one.Dashboard.String(), Name: one.Name, Label: one.Label, Shown: true, Place: i + 1}
		if !one.Group.IsZero() {
			board.Group = one.Group.String()
		}
		props.Dashboards = append(props.Dashboards, board)
	}
	for _, d := range all.Entries {
		if !in[d.ID] {
			props.Dashboards = append(props.Dashboards, views.PortalBoard{ID: d.ID.String(), Name: d.Name})
		}
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.PortalShowsPage(s, props))
}

func describe(head *views.PortalHead, problem error) {
	if problem != nil {
		public := apperr.Describe(problem)
		head.Error, head.Code = public.Sentence, public.Code
	}
}

func (h portalSettings) saveShows(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := portalID(r)
	if err != nil {
		return err
	}
	type placed struct {
		portals.Shown
		place int
	}
	var list []placed
	for _, text := range r.PostForm["show"] {
		board, err := ids.Parse[ids.Dashboard](text)
		if err != nil {
			return portals.ErrDashboards.Wrap(err)
		}
		one := placed{Shown: portals.Shown{Dashboard: board, Label: r.PostForm.Get("label-" + text)}, place: 1000}
		if n, err := strconv.Atoi(r.PostForm.Get("place-" + text)); err == nil {
			one.place = n
		}
		if group := r.PostForm.Get("group-" + text); group != "" {
			if one.Group, err = ids.Parse[ids.Group](group); err != nil {
				return portals.ErrGroupNotFound.Wrap(err)
			}
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(a, b placed) int { return a.place - b.place })
	shown := make([]portals.Shown, len(list))
	for i, one := range list {
		shown[i] = one.Shown
	}
	downloads, schedules, zone := r.PostForm.Has("downloads"), r.PostForm.Has("schedules"), r.PostForm.Get("zone")
	if err := h.Portals.SetDashboards(r.Context(), actor(r), id, shown); err != nil {
		return h.again(w, r, err, h.showsPage)
	}
	if _, err := h.Portals.Change(r.Context(), actor(r), id, portals.Edit{Downloads: &downloads, Schedules: &schedules, Zone: &zone}); err != nil {
		return h.again(w, r, err, h.showsPage)
	}
	return flashAndGo(w, r, "portals.saved", views.PathPortal(id.String(), ""))
}

// again shows a section with what was wrong, where the person can mend it.
func (h portalSettings) again(w http.ResponseWriter, r *http.Request, problem error, page func(http.ResponseWriter, *http.Request, int, error) error) error {
	switch class := apperr.Describe(problem).Class; class {
	case apperr.Invalid, apperr.Conflict:
		return page(w, r, class.Status(), problem)
	}
	return problem
}

// streams takes the look of a portal, which comes with pictures.
func (h portalSettings) streams(r chi.Router) {
	r.Post(views.PathPortals+"/{portal}/brand", handle(h.saveLook))
}

func (h portalSettings) look(w http.ResponseWriter, r *http.Request) error {
	p, head, err := h.head(r)
	if err != nil {
		return err
	}
	_, notes, err := p.Brand.Checked()
	if err != nil {
		return err
	}
	return h.lookPage(w, r, http.StatusOK, p, head, views.BrandFormProps{Brand: p.Brand, Notes: notes})
}

func (h portalSettings) lookPage(w http.ResponseWriter, r *http.Request, status int, p portals.Portal, head views.PortalHead, form views.BrandFormProps) error {
	form.Action, form.Preview = views.PathPortal(head.ID, "/brand"), views.PathPortal(head.ID, "/brand/preview")
	form.LogoURL, form.LogoDark = logoPath(p, "logo", p.Brand.Logo), logoPath(p, "logo_dark", p.Brand.LogoDark)
	form.Locales = localeOptions(form.Brand.Locale, messages.T(r.Context(), "portals.workspace_zone"))
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.PortalLookPage(s, head, form))
}

func logoPath(p portals.Portal, kind, sum string) string {
	if sum == "" {
		return ""
	}
	return views.PathPortal(p.ID.String(), "/logo/"+kind+"/"+sum)
}

// previewLook answers how a portal would look. Nothing is kept.
func (h portalSettings) previewLook(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	p, _, err := h.head(r)
	if err != nil {
		return err
	}
	props := views.BrandPreviewProps{Live: true, LogoURL: logoPath(p, "logo", p.Brand.Logo), LogoDark: logoPath(p, "logo_dark", p.Brand.LogoDark)}
	asked := brand.FromForm(r.PostForm)
	asked.Logo, asked.LogoDark = p.Brand.Logo, p.Brand.LogoDark
	props.Brand, props.Notes, err = asked.Checked()
	if fields, invalid := apperr.Fields(err); invalid {
		props.Errors = fields
	} else if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.BrandPreview(props))
}

// maxLook bounds a form with two pictures.
const maxLook = 2 << 20

func (h portalSettings) saveLook(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxLook)
	if err := parseForm(r); err != nil {
		return err
	}
	p, head, err := h.head(r)
	if err != nil {
		return err
	}
	look := brand.FromForm(r.PostForm)
	edit := portals.Edit{Brand: &look}
	for field, to := range map[string]**portals.Logo{"logo": &edit.Logo, "logo_dark": &edit.LogoDark} {
		data, err := uploaded(r, field)
		if err != nil {
			return err
		}
		if len(data) > 0 || r.PostForm.Has("remove_"+field) {
			*to = &portals.Logo{Data: data}
		}
	}
	notes, err := h.Portals.Change(r.Context(), actor(r), p.ID, edit)
	if err != nil {
		public := apperr.Describe(err)
		fields, invalid := apperr.Fields(err)
		if !invalid && public.Class != apperr.Invalid {
			return err
		}
		form := views.BrandFormProps{Brand: look, Notes: notes, Errors: fields}
		if fields == nil {
			form.Error = public.Sentence
		}
		return h.lookPage(w, r, http.StatusUnprocessableEntity, p, head, form)
	}
	return flashAndGo(w, r, "portals.saved", views.PathPortal(head.ID, "/brand"))
}

// uploaded reads a file of a form; nothing where none was chosen.
func uploaded(r *http.Request, field string) ([]byte, error) {
	file, _, err := r.FormFile(field)
	if errors.Is(err, http.ErrMissingFile) {
		return nil, nil
	}
	if err != nil {
		return nil, errForm.Wrap(err)
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(file)
}

func (h portalSettings) logo(w http.ResponseWriter, r *http.Request) error {
	p, _, err := h.head(r)
	if err != nil {
		return err
	}
	asset, err := h.Portals.Asset(r.Context(), p, chi.URLParam(r, "kind"), chi.URLParam(r, "sum"))
	if err != nil {
		return err
	}
	sendLogo(w, asset)
	return nil
}

func (h portalSettings) remove(w http.ResponseWriter, r *http.Request) error {
	id, err := portalID(r)
	if err != nil {
		return err
	}
	if err := h.Portals.Delete(r.Context(), actor(r), id); err != nil {
		return err
	}
	return flashAndGo(w, r, "portals.deleted", views.PathPortals)
}

func (h portalSettings) people(w http.ResponseWriter, r *http.Request) error {
	return h.peoplePage(w, r, http.StatusOK, nil)
}

func (h portalSettings) peoplePage(w http.ResponseWriter, r *http.Request, status int, problem error) error {
	p, head, err := h.head(r)
	if err != nil {
		return err
	}
	visitors, groups, err := h.Portals.Visitors(r.Context(), actor(r), p.ID)
	if err != nil {
		return err
	}
	props := views.PortalPeopleProps{PortalHead: head, Locale: locale.For(actor(r).Locale)}
	if fields, invalid := apperr.Fields(problem); invalid && r.PostForm.Has("email") {
		props.Errors, props.Open = fields, true
	} else {
		describe(&props.PortalHead, problem)
	}
	for _, g := range groups {
		props.Groups = append(props.Groups, views.PortalGroup{ID: g.ID.String(), Name: g.Name, Attributes: tenants.Attributes(g.Attributes).Lines(), Visitors: g.Visitors})
		props.Options = append(props.Options, ui.Option{Value: g.ID.String(), Label: g.Name, Selected: slices.Contains(r.PostForm["group"], g.ID.String())})
	}
	if props.Open {
		props.Invite = views.PortalVisitor{Email: r.PostForm.Get("email"), Name: r.PostForm.Get("name"), Company: r.PostForm.Get("company"), Attributes: r.PostForm.Get("attributes")}
	}
	for _, v := range visitors {
		row := views.PortalVisitor{ID: v.ID.String(), Email: v.Email, Name: v.Name, Company: v.Company, Attributes: tenants.Attributes(v.Attributes).Lines(),
			Seen: when(r, v.SeenAt), Active: v.Active, Blocked: v.Blocked}
		var names []string
		for _, g := range groups {
			in := slices.Contains(v.Groups, g.ID)
			row.Groups = append(row.Groups, ui.Option{Value: g.ID.String(), Label: g.Name, Selected: in})
			if in {
				names = append(names, g.Name)
			}
		}
		row.GroupNames = strings.Join(names, ", ")
		props.Visitors = append(props.Visitors, row)
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.PortalPeoplePage(s, props))
}

// visitorForm reads what a form says of a visitor.
func visitorForm(r *http.Request) (portals.Visitor, error) {
	if err := parseForm(r); err != nil {
		return portals.Visitor{}, err
	}
	v := portals.Visitor{Email: r.PostForm.Get("email"), Name: r.PostForm.Get("name"), Company: r.PostForm.Get("company"), Blocked: r.PostForm.Has("blocked")}
	for _, text := range r.PostForm["group"] {
		group, err := ids.Parse[ids.Group](text)
		if err != nil {
			return v, portals.ErrGroupNotFound.Wrap(err)
		}
		v.Groups = append(v.Groups, group)
	}
	if text := r.PostForm.Get("id"); text != "" {
		var err error
		if v.ID, err = ids.Parse[ids.Visitor](text); err != nil {
			return v, portals.ErrVisitorNotFound.Wrap(err)
		}
	}
	var err error
	v.Attributes, err = formAttributes(r)
	return v, err
}

// formAttributes are the attributes of a form, with what is wrong beside them.
func formAttributes(r *http.Request) (map[string][]string, error) {
	a, err := tenants.ParseAttributes(r.PostForm.Get("attributes"))
	if err != nil {
		return nil, tenants.ErrAttributes.WithFields(map[string]string{"attributes": apperr.Describe(err).Sentence}).Wrap(err)
	}
	return a, nil
}

func (h portalSettings) invite(w http.ResponseWriter, r *http.Request) error {
	id, err := portalID(r)
	if err != nil {
		return err
	}
	v, err := visitorForm(r)
	if err != nil {
		return h.again(w, r, err, h.peoplePage)
	}
	base, err := h.base(r, id)
	if err != nil {
		return h.again(w, r, err, h.peoplePage)
	}
	if _, err := h.Portals.Invite(r.Context(), actor(r), id, base, v); err != nil {
		return h.again(w, r, err, h.peoplePage)
	}
	return flashAndGo(w, r, "portals.invited_said", views.PathPortal(id.String(), "/visitors"), "Email", v.Email)
}

func (h portalSettings) changeVisitor(w http.ResponseWriter, r *http.Request) error {
	id, err := portalID(r)
	if err != nil {
		return err
	}
	v, err := visitorForm(r)
	if err != nil {
		return h.again(w, r, err, h.peoplePage)
	}
	if err := h.Portals.ChangeVisitor(r.Context(), actor(r), id, v); err != nil {
		return h.again(w, r, err, h.peoplePage)
	}
	return flashAndGo(w, r, "portals.saved", views.PathPortal(id.String(), "/visitors"))
}

// onVisitor runs work on the visitor that a form names.
func (h portalSettings) onVisitor(w http.ResponseWriter, r *http.Request, said string, work func(ids.Portal, ids.Visitor) error) error {
	id, err := portalID(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	visitor, err := ids.Parse[ids.Visitor](r.PostForm.Get("id"))
	if err != nil {
		return portals.ErrVisitorNotFound.Wrap(err)
	}
	if err := work(id, visitor); err != nil {
		return h.again(w, r, err, h.peoplePage)
	}
	return flashAndGo(w, r, said, views.PathPortal(id.String(), "/visitors"))
}

func (h portalSettings) sendLink(w http.ResponseWriter, r *http.Request) error {
	return h.onVisitor(w, r, "portals.link_sent", func(id ids.Portal, v ids.Visitor) error {
		base, err := h.base(r, id)
		if err != nil {
			return err
		}
		return h.Portals.ResendLink(r.Context(), actor(r), id, base, v)
	})
}

func (h portalSettings) removeVisitor(w http.ResponseWriter, r *http.Request) error {
	return h.onVisitor(w, r, "portals.removed", func(id ids.Portal, v ids.Visitor) error {
		return h.Portals.RemoveVisitor(r.Context(), actor(r), id, v)
	})
}

func (h portalSettings) saveGroup(w http.ResponseWriter, r *http.Request) error {
	id, err := portalID(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	g := portals.Group{Name: r.PostForm.Get("name")}
	if text := r.PostForm.Get("id"); text != "" {
		if g.ID, err = ids.Parse[ids.Group](text); err != nil {
			return portals.ErrGroupNotFound.Wrap(err)
		}
	}
	if r.PostForm.Has("remove") {
		err = h.Portals.RemoveGroup(r.Context(), actor(r), id, g.ID)
	} else if g.Attributes, err = formAttributes(r); err == nil {
		_, err = h.Portals.SaveGroup(r.Context(), actor(r), id, g)
	}
	if err != nil {
		return h.again(w, r, err, h.peoplePage)
	}
	return flashAndGo(w, r, "portals.saved", views.PathPortal(id.String(), "/visitors"))
}

func (h portalSettings) hosts(w http.ResponseWriter, r *http.Request) error {
	return h.hostsPage(w, r, http.StatusOK, nil)
}

func (h portalSettings) hostsPage(w http.ResponseWriter, r *http.Request, status int, problem error) error {
	p, head, err := h.head(r)
	if err != nil {
		return err
	}
	list, err := h.Portals.Hosts(r.Context(), actor(r), p.ID)
	if err != nil {
		return err
	}
	props := views.PortalHostsProps{PortalHead: head}
	if problem != nil && r.PostForm.Has("host") {
		props.Host = r.PostForm.Get("host")
		props.Errors = map[string]string{"host": apperr.Describe(problem).Sentence}
	}
	for _, one := range list {
		row := views.PortalHost{Name: one.Name, Shown: hosts.Display(one.Name), Verified: !one.VerifiedAt.IsZero(), Link: hostAddress(r, one.Name)}
		row.Record, row.Value = h.Portals.Proof(p.TenantID, one.Name)
		if !one.FailingAt.IsZero() {
			row.Failing = locale.For(actor(r).Locale).ShortDate(one.FailingAt.In(actor(r).Location()))
		}
		props.Hosts = append(props.Hosts, row)
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.PortalHostsPage(s, props))
}

// onHost runs work on the name that a form gives.
func (h portalSettings) onHost(w http.ResponseWriter, r *http.Request, said string, work func(ids.Portal, string) error) error {
	id, err := portalID(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	host := r.PostForm.Get("host")
	if err := work(id, host); err != nil {
		return h.again(w, r, err, h.hostsPage)
	}
	if name, err := hosts.Normalise(host); err == nil {
		host = hosts.Display(name)
	}
	return flashAndGo(w, r, said, views.PathPortal(id.String(), "/hosts"), "Host", host)
}

func (h portalSettings) addHost(w http.ResponseWriter, r *http.Request) error {
	return h.onHost(w, r, "portals.host_added", func(id ids.Portal, host string) error {
		_, err := h.Portals.ClaimHost(r.Context(), actor(r), id, host)
		return err
	})
}

func (h portalSettings) proveHost(w http.ResponseWriter, r *http.Request) error {
	return h.onHost(w, r, "portals.host_proven", func(id ids.Portal, host string) error {
		return h.Portals.ProveHost(r.Context(), actor(r), id, host)
	})
}

func (h portalSettings) removeHost(w http.ResponseWriter, r *http.Request) error {
	return h.onHost(w, r, "portals.host_removed", func(id ids.Portal, host string) error {
		return h.Portals.RemoveHost(r.Context(), actor(r), id, host)
	})
}
