-- Who acted may be no member: a visitor of a portal is found by the address.
-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION audit_erase(person uuid, words text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant uuid := NULLIF(current_setting('app.tenant_id', true), '')::uuid;
    one    bigint;
    two    bigint;
BEGIN
    UPDATE public.audit_details d SET who = NULL, who_salt = NULL FROM public.audit_events e
    WHERE d.tenant_id = tenant AND e.tenant_id = tenant AND e.audit_id = d.audit_id AND d.who IS NOT NULL
      AND (e.user_id = person OR EXISTS (SELECT FROM unnest(words) w WHERE w <> '' AND lower(d.who ->> 'email') = lower(w)));
    GET DIAGNOSTICS one = ROW_COUNT;
    UPDATE public.audit_details d SET what = NULL, what_salt = NULL FROM public.audit_events e
    WHERE d.tenant_id = tenant AND e.tenant_id = tenant AND e.audit_id = d.audit_id AND d.what IS NOT NULL
      AND (e.target_kind = 'user' AND e.target_id = person::text
        OR EXISTS (SELECT FROM unnest(words) w WHERE w <> '' AND strpos(lower(d.what::text), lower(w)) > 0));
    GET DIAGNOSTICS two = ROW_COUNT;
    RETURN one + two;
END
$$;
-- +goose StatementEnd
