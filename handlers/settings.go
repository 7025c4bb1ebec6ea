package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// settings are those of the workspace, and its members.
type settings struct{ *core }

const membersOnPage = 25

// roles in the order in which they are offered.
var roles = []access.Role{access.Owner, access.Admin, access.Editor, access.Viewer}

func (h settings) routes(r chi.Router) {
	r.Get(views.PathSettings, handle(h.show))
	r.Post(views.PathSettings, handle(h.save))
	r.Get(views.PathMembers, handle(h.members))
	r.Get(views.PathMembersExport, handle(h.exportMembers))
	r.Post(views.PathMembersInvite, handle(h.invite))
	r.Post(views.PathMembersRole, handle(h.setRole))
	r.Post(views.PathMembersRemove, handle(h.remove))
	r.Post(views.PathMembersResend, handle(h.resend))
	r.Post(views.PathMembersRevoke, handle(h.withdraw))
	r.Post(views.PathMembersConnect, handle(h.connect))
	r.Post(views.PathMembersConnectAll, handle(h.connectAll))
}

func (h settings) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, func(*views.SettingsProps) {})
}

func (h settings) page(w http.ResponseWriter, r *http.Request, status int, with func(*views.SettingsProps)) error {
	stored, err := h.Tenants.GetSettings(r.Context(), actor(r))
	if err != nil {
		return err
	}
	props := views.SettingsProps{
		Name: stored.Name, Slug: stored.Slug, Plan: string(stored.Plan), Zone: stored.Zone, Zones: zoneOptions(stored.Zone, ""),
		Locale: stored.Locale, Locales: localeOptions(stored.Locale, ""),
		CanEdit: access.Can(actor(r), access.ManageWorkspace) == nil,
	}
	with(&props)
	if isPartial(r) {
		return render(w, r, status, views.SettingsContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.SettingsPage(s, props))
}

func (h settings) save(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := tenants.Settings{Name: r.PostForm.Get("name"), Zone: r.PostForm.Get("zone"), Locale: r.PostForm.Get("locale")}
	err := h.Tenants.SetSettings(r.Context(), actor(r), form)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.page(w, r, http.StatusUnprocessableEntity, func(p *views.SettingsProps) {
			p.Name, p.Errors = form.Name, fields
		})
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "settings.saved", views.PathSettings)
}

func (h settings) members(w http.ResponseWriter, r *http.Request) error {
	return h.membersPage(w, r, http.StatusOK, func(*views.MembersProps) {})
}

func (h settings) membersPage(w http.ResponseWriter, r *http.Request, status int, with func(*views.MembersProps)) error {
	i := identity(r)
	q := memberQuery(r)
	list, err := h.Tenants.ListMembers(r.Context(), i.Actor, q)
	if err != nil {
		return err
	}
	all, err := h.roleOptions(r, false)
	if err != nil {
		return err
	}
	given, err := h.roleOptions(r, true)
	if err != nil {
		return err
	}
	l, now := locale.For(i.Locale), time.Now().In(i.Actor.Location())
	props := views.MembersProps{
		Count: list.All, Search: q.Search, Role: string(q.Role), Way: string(q.SignIn), Ways: wayOptions(r), Export: memberFilter(views.PathMembersExport, q, 0), Roles: all, Given: given, SeatsUsed: list.All, Seats: list.Seats,
		Page: q.Page, Pages: (list.Found + membersOnPage - 1) / membersOnPage, CanManage: true,
		Invite: views.InviteForm{Role: string(access.Viewer)},
	}
	shown := make([]ids.User, len(list.Members))
	for n, m := range list.Members {
		shown[n] = m.UserID
	}
	ways, err := h.Auth.ListSignInWays(r.Context(), i.Actor, shown)
	if err != nil {
		return err
	}
	connectable, err := h.Auth.GetConnectable(r.Context(), i.Actor)
	if err != nil {
		return err
	}
	props.Stranded, props.CanMail = connectable.Stranded, h.canMail()
	sights, err := h.memberSights(r, list.Members)
	if err != nil {
		return err
	}
	for _, m := range list.Members {
		row := memberRow(r, i, m, given, l, now)
		if sight, there := sights[m.UserID]; there {
			row.Sight = &sight
		}
		row.CanConnect = connectable.SSO
		row.SSO, row.Factor = ways[m.UserID].SSO, ways[m.UserID].SecondFactor
		props.People = append(props.People, row)
	}
	if first := (q.Page-1)*membersOnPage + 1; len(list.Members) > 0 {
		props.Summary = messages.T(r.Context(), "members.summary", "From", l.Integer(int64(first)),
			"To", l.Integer(int64(first+len(list.Members)-1)), "All", l.Integer(int64(list.Found)))
	}
	if q.Page > 1 {
		props.Previous = membersPath(q, q.Page-1)
	}
	if q.Page < props.Pages {
		props.Next = membersPath(q, q.Page+1)
	}
	with(&props)
	if isPartial(r) {
		return render(w, r, status, views.MembersContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.MembersPage(s, props))
}

// memberQuery reads the filters of the list; nonsense is none.
func memberQuery(r *http.Request) tenants.MemberQuery {
	query := r.URL.Query()
	number, _ := strconv.Atoi(query.Get("page")) // nonsense is the first page
	q := tenants.MemberQuery{Search: query.Get("q"), Role: access.Role(query.Get("role")), SignIn: tenants.SignInWay(query.Get("way")),
		Page: min(max(number, 1), 100_000), PageSize: membersOnPage}
	if !tenants.ValidRole(q.Role) {
		q.Role = ""
	}
	if !slices.Contains(tenants.SignInWays, q.SignIn) {
		q.SignIn = ""
	}
	return q
}

func wayOptions(r *http.Request) []ui.Option {
	var list []ui.Option
	for _, way := range tenants.SignInWays {
		list = append(list, ui.Option{Value: string(way), Label: messages.T(r.Context(), "members.way_"+string(way))})
	}
	return list
}

func membersPath(q tenants.MemberQuery, page int) string {
	return memberFilter(views.PathMembers, q, page)
}

// memberFilter is a path with the filters of the list, and the page where it is
// above 0.
func memberFilter(path string, q tenants.MemberQuery, page int) string {
	v := url.Values{}
	if q.Search != "" {
		v.Set("q", q.Search)
	}
	if q.Role != "" {
		v.Set("role", string(q.Role))
	}
	if q.SignIn != "" {
		v.Set("way", string(q.SignIn))
	}
	if page > 0 {
		v.Set("page", strconv.Itoa(page))
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

func memberRow(r *http.Request, i auth.Identity, m tenants.Member, given []ui.Option, l *locale.Locale, now time.Time) views.MemberRow {
	role := tenants.Role{Standing: m.Role, Custom: m.Custom}
	row := views.MemberRow{ID: m.UserID.String(), Name: m.Name, Email: m.Email, Role: string(role.Value()), RoleLabel: titleOf(r, role),
		Self: m.UserID == i.Actor.UserID}
	if row.Name == "" {
		row.Name = m.Email
	}
	if !m.SeenAt.IsZero() {
		row.LastActive = views.When{At: m.SeenAt.In(now.Location()), Now: now, Locale: l}
	}
	if !m.InvitedAt.IsZero() {
		row.Invited = l.ShortDate(m.InvitedAt.In(now.Location()))
	}
	// What is beyond somebody is not theirs to change.
	if i.Actor.Covers(m.Role, m.Custom) {
		row.Roles, row.CanRemove = given, !row.Self
	}
	return row
}

// invite answers the list with the form open where something is wrong with it.
func (h settings) invite(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.InviteForm{Email: r.PostForm.Get("email"), Role: r.PostForm.Get("role"), Open: true}
	made, err := h.Auth.Invite(r.Context(), identity(r), form.Email, access.Role(form.Role))
	if errors.Is(err, auth.ErrEmailTaken) {
		form.Errors = map[string]string{"email": apperr.Describe(err).Sentence}
	} else if errors.Is(err, tenants.ErrOwnerOnly) || errors.Is(err, tenants.ErrBeyond) {
		form.Errors = map[string]string{"role": apperr.Describe(err).Sentence}
	} else if fields, invalid := apperr.Fields(err); invalid {
		form.Errors = fields
	}
	if form.Errors != nil {
		status := apperr.Describe(err).Class.Status()
		return h.membersPage(w, r, status, func(p *views.MembersProps) { p.Invite = form })
	}
	if errors.Is(err, tenants.ErrNoSeat) {
		return h.refused(w, r, err)
	}
	if err != nil {
		return err
	}
	return h.invited(w, r, made)
}

// invited says that the mail is on its way. Where none goes out, who invites
// gets the link to hand it over.
func (h settings) invited(w http.ResponseWriter, r *http.Request, made auth.Invited) error {
	if h.canMail() {
		return flashAndGo(w, r, "members.invitation_sent", views.PathMembers)
	}
	return flashAndGo(w, r, "members.invitation_link", views.PathMembers, "Link", made.Link)
}

// refused shows the list with what stands in the way of a change.
func (h settings) refused(w http.ResponseWriter, r *http.Request, err error) error {
	public := apperr.Describe(err)
	return h.membersPage(w, r, public.Class.Status(), func(p *views.MembersProps) { p.Error, p.Code = public.Sentence, public.Code })
}

func memberID(r *http.Request) (ids.User, error) {
	if err := parseForm(r); err != nil {
		return ids.User{}, err
	}
	id, err := ids.Parse[ids.User](r.PostForm.Get("id"))
	if err != nil {
		return id, tenants.ErrMemberNotFound.Wrap(err)
	}
	return id, nil
}

func (h settings) setRole(w http.ResponseWriter, r *http.Request) error {
	return h.changeMember(w, r, "members.role_changed", func(id ids.User) error {
		return h.Tenants.SetRole(r.Context(), actor(r), id, access.Role(r.PostForm.Get("role")))
	})
}

func (h settings) remove(w http.ResponseWriter, r *http.Request) error {
	return h.changeMember(w, r, "members.removed", func(id ids.User) error {
		return h.Tenants.RemoveMember(r.Context(), actor(r), id)
	})
}

func (h settings) resend(w http.ResponseWriter, r *http.Request) error {
	id, err := memberID(r)
	if err != nil {
		return err
	}
	made, err := h.Auth.ResendInvite(r.Context(), identity(r), id)
	if err != nil {
		return err
	}
	return h.invited(w, r, made)
}

func (h settings) connect(w http.ResponseWriter, r *http.Request) error {
	id, err := memberID(r)
	if err != nil {
		return err
	}
	made, err := h.Auth.SendConnectLink(r.Context(), identity(r), id)
	if err != nil {
		return err
	}
	if h.canMail() {
		return flashAndGo(w, r, "members.connect_sent", views.PathMembers)
	}
	return flashAndGo(w, r, "members.connect_link", views.PathMembers, "Link", made.Link)
}

// connectAll sends links by mail alone: nobody hands over those of many.
func (h settings) connectAll(w http.ResponseWriter, r *http.Request) error {
	if !h.canMail() {
		return h.refused(w, r, auth.ErrByHand)
	}
	sent, err := h.Auth.SendConnectLinks(r.Context(), identity(r))
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "members.connect_all_sent", views.PathMembers, "Count", strconv.Itoa(sent))
}

func (h settings) withdraw(w http.ResponseWriter, r *http.Request) error {
	return h.changeMember(w, r, "members.invitation_withdrawn", func(id ids.User) error {
		return h.Tenants.RemoveMember(r.Context(), actor(r), id)
	})
}

func (h settings) changeMember(w http.ResponseWriter, r *http.Request, done string, change func(ids.User) error) error {
	id, err := memberID(r)
	if err != nil {
		return err
	}
	if err := change(id); err != nil {
		if errors.Is(err, tenants.ErrLastOwner) || errors.Is(err, tenants.ErrBreakGlass) {
			return h.refused(w, r, err)
		}
		return err
	}
	if id == actor(r).UserID && done == "members.removed" {
		return redirect(w, r, views.PathHome)
	}
	return flashAndGo(w, r, done, views.PathMembers)
}
